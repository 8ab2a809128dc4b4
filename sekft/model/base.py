"""The frozen base: loaded once per process and settings, and restored after every use."""

import copy
import gc
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    set_seed,
)

from sekft.config import Device, ModelConfig, Weights
from sekft.errors import ModelError
from sekft.model.dtype import choose_dtype
from sekft.model.files import identity
from sekft.model.locate import load_tokenizer
from sekft.rendering.fingerprint import fingerprint
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.sandbox.text import TEXT_VERSION

_loads = 0
_resident: dict[ModelConfig, "Base"] = {}  # holds at most one


@dataclass(frozen=True)
class Base:
    """A model in eval mode on its device, its tokenizer, and where it was loaded from."""

    model: PreTrainedModel
    tokenizer: ChatTokenizer
    device: torch.device
    folder: Path
    config: ModelConfig
    dtype: torch.dtype  # of the weights; of 4-bit weights, the type they are computed in
    dtype_reason: str

    def identity(self) -> str:
        return identity(self.folder, self.config)

    def fingerprint(self) -> dict[str, Any]:
        """What an adapter on this base is trained with and must be served with."""
        return fingerprint(self.tokenizer, self.identity(), TEXT_VERSION)

    def device_record(self) -> dict[str, Any]:
        """The device for run.json. threads: on a CPU they decide the order of a sum, and so its last bits."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None
        return {"type": self.device.type, "name": name, "threads": torch.get_num_threads()}

    def dtype_name(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    def line(self) -> str:
        return f"base: {self.config.name} on {self.device}, weights in {self.dtype_name()}: {self.dtype_reason}"

    def memory_line(self) -> str:
        """The peak memory of this process so far: of the GPU if the base is on one, else of the machine."""
        if self.device.type == "cuda":
            return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of GPU memory so far"
        return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB of memory so far"


def base_loads() -> int:
    """The number of bases loaded in this process so far."""
    return _loads


def resident() -> Base | None:
    """The base that is loaded, if one is."""
    return next(iter(_resident.values()), None)


def unload() -> None:
    """Free the memory of the resident base, unless the caller still refers to it."""
    _resident.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load(model: ModelConfig) -> Base:
    """Return the resident base if it was loaded with these settings; else unload it and load another one. Raises ModelError."""
    global _loads
    if model in _resident:
        return _resident[model]
    unload()  # before loading: two bases may not fit into memory
    tokenizer = load_tokenizer(model, weights=True)
    folder = tokenizer.folder
    device = pick_device(model.device)
    dtype, reason = choose_dtype(model, folder, device)
    make = _random if model.weights is Weights.random else _pretrained
    loaded = make(folder, model, device, dtype)
    if tokenizer.vocab_size > loaded.config.get_text_config().vocab_size:
        raise ModelError(
            f"{folder}: {tokenizer.vocab_size} tokens in the tokenizer, fewer embeddings in the model; use the base's own tokenizer"
        )
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every length: 90 ms per generated token on an H200
    for module in loaded.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # bitsandbytes repacks 4-bit weights in the first inference on such a CPU: later training reads them wrongly, and the
            # logits are rounded to bfloat16 (reloaded adapters differed from the trained ones by a factor of 1.2)
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  its type is unknown here
    loaded.requires_grad_(False)
    loaded.eval()
    _loads += 1
    _resident[replace(model)] = base = Base(loaded, tokenizer, device, folder, model, dtype, reason)
    return base


def pick_device(device: Device) -> torch.device:
    """The device to load on; auto: cuda, else mps, else cpu. Raises ModelError for a device that this machine lacks."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name, is_available in available.items() if is_available) if device is Device.auto else device.value
    if not available[name]:
        raise ModelError(f"model.device={name}: not on this machine; allowed here: {', '.join(k for k, v in available.items() if v)}")
    return torch.device(name)


def device_memory(device: str) -> float:
    """Bytes of a device's memory, free or not. device: torch's name of the type; a GPU that is not on this machine has this machine's."""
    if device == "cuda" and torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(0).total_memory)
    return float(psutil.virtual_memory().total)


def hub_tokenizer(base: Base) -> PreTrainedTokenizerFast:
    """The base's tokenizer as transformers loads it, with the canonical template: for TRL, and to save beside an adapter."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base.folder)
    tokenizer.chat_template = base.tokenizer.canonical_template
    return tokenizer


@contextmanager
def restored(base: Base) -> Iterator[None]:
    """Restore the base at the end: remove whatever TRL and PEFT put on it (layers, hooks, wrapped methods, flags, settings).

    Weights that were replaced are put back; the caller must not write to a weight in place.
    """
    modules = list(base.model.modules())
    objects: dict[int, Any] = {id(module): module for module in modules}
    for module in modules:
        objects |= {id(value): value for value in vars(module).values() if isinstance(value, PreTrainedConfig | GenerationConfig)}
    attributes = [(owner, dict(vars(owner)), _container_copies(owner)) for owner in objects.values()]
    weights = [(weight, weight.data, weight.requires_grad) for weight in base.model.parameters()]
    try:
        yield
    finally:
        for owner, before, containers in attributes:
            vars(owner).clear()
            vars(owner).update(before)
            for name, contents in containers.items():
                before[name].clear()
                (before[name].extend if isinstance(contents, list) else before[name].update)(contents)
        for weight, data, requires_grad in weights:
            if weight.data_ptr() != data.data_ptr() or weight.dtype != data.dtype:
                weight.data = data
            weight.requires_grad_(requires_grad).grad = None


def _container_copies(owner: Any) -> dict[str, Any]:
    """Copies of the attributes that can be changed in place. The containers themselves are kept: hooks hold references to them."""
    return {name: copy.copy(value) for name, value in vars(owner).items() if isinstance(value, dict | list | set)}


def _quantization(model: ModelConfig, dtype: torch.dtype) -> dict[str, Any]:
    if not model.load_4bit:
        return {}
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_use_double_quant=True,
        )
    }


def _pretrained(folder: Path, model: ModelConfig, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    try:
        found: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            output_loading_info=True,
            dtype=dtype,
            device_map={"": device},
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=model.trust_remote_code is not None,
            **_quantization(model, dtype),
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot be loaded: {str(error).splitlines()[0]}") from error
    loaded, info = found
    require_all_weights(folder, info)
    return loaded


def require_all_weights(folder: Path, info: Any) -> None:
    """Raise ModelError if a load drew weights at random because the folder lacks them. info: transformers' loading info."""
    if missing := sorted(info["missing_keys"]):
        raise ModelError(f"{folder}: lacks {len(missing)} of the weights of its config.json, for example {missing[0]}; fetch it again")


def _random(folder: Path, model: ModelConfig, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """A model of the shape in config.json with weights drawn from model.seed; 4-bit weights are loaded from a saved copy."""
    set_seed(model.seed)
    trusted = model.trust_remote_code is not None
    shape = AutoConfig.from_pretrained(folder, trust_remote_code=trusted)
    drawn = AutoModelForCausalLM.from_config(shape, dtype=dtype, attn_implementation="sdpa", trust_remote_code=trusted)
    if not model.load_4bit:
        return drawn.to(device)
    with tempfile.TemporaryDirectory(prefix="sekft-random-") as copy:
        drawn.save_pretrained(copy)
        return _pretrained(Path(copy), model, device, dtype)

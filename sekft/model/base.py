"""The frozen base: loaded once per ModelConfig and process, and handed back as it was."""

import copy
import gc
import hashlib
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
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
from sekft.model.locate import load_tokenizer
from sekft.rendering.tokenizer import ChatTokenizer

IDENTITY_BYTES = 1 << 20
_loads = 0
_resident: dict[ModelConfig, "Base"] = {}  # one at most


@dataclass(frozen=True)
class Base:
    """Model on its device in eval mode, its tokenizer, and the device."""

    model: PreTrainedModel
    tokenizer: ChatTokenizer
    device: torch.device
    folder: Path
    config: ModelConfig

    def identity(self) -> str:
        return identity(self.folder, self.config)

    def about_device(self) -> dict[str, Any]:
        """threads: on a CPU the order of a sum depends on how many there are."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None
        return {"type": self.device.type, "name": name, "threads": torch.get_num_threads()}

    def memory_line(self) -> str:
        """The most memory this process has used so far, on the device that matters."""
        if self.device.type == "cuda":
            return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of GPU memory so far"
        return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB of memory so far"


def identity(folder: Path, model: ModelConfig) -> str:
    """sha256 over the shape and the weights: of the seed if they are random, else head and tail of every weight file."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    if model.weights is Weights.random:
        digest.update(f"random {model.seed}".encode())
    for file in sorted(folder.glob("*.safetensors")) if model.weights is Weights.pretrained else ():
        with file.open("rb") as weights:
            digest.update(f"{file.name} {file.stat().st_size}".encode() + weights.read(IDENTITY_BYTES))
            weights.seek(-min(IDENTITY_BYTES, file.stat().st_size), os.SEEK_END)
            digest.update(weights.read())
    return digest.hexdigest()


def base_loads() -> int:
    """How often a base was loaded in this process so far."""
    return _loads


def kept() -> Base | None:
    """The resident base."""
    return next(iter(_resident.values()), None)


def drop() -> None:
    """Give the memory of the resident base back; who still holds it keeps it alive."""
    _resident.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load(model: ModelConfig) -> Base:
    """The resident base if the settings are its own; else it goes and another is loaded. Raises ModelError."""
    global _loads
    if model in _resident:
        return _resident[model]
    drop()  # before the next one comes: two may not fit
    tokenizer = load_tokenizer(model, weights=True)
    folder = tokenizer.folder
    device = pick_device(model.device)
    loaded = _random(folder, model, device) if model.weights is Weights.random else _pretrained(folder, model, device)
    if tokenizer.vocab_size > loaded.config.get_text_config().vocab_size:
        raise ModelError(f"{folder}: {tokenizer.vocab_size} tokens in the tokenizer, fewer embeddings in the model")
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every length it meets: 90 ms per generated token on an H200
    loaded.requires_grad_(False)
    loaded.eval()
    _loads += 1
    _resident[replace(model)] = base = Base(loaded, tokenizer, device, folder, model)
    return base


def pick_device(device: Device) -> torch.device:
    """auto: cuda, else mps, else cpu. Raises ModelError for a device this machine lacks."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name, found in there.items() if found) if device is Device.auto else device.value
    if not there[name]:
        raise ModelError(f"model.device={name}: not on this machine; allowed here: {', '.join(k for k, v in there.items() if v)}")
    return torch.device(name)


def compute_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float32 elsewhere: results on CPU stay exact."""
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def hub_tokenizer(base: Base) -> PreTrainedTokenizerFast:
    """The same files as transformers sees them: for TRL, and for saving beside an adapter."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base.folder)
    tokenizer.chat_template = base.tokenizer.canonical_template
    return tokenizer


@contextmanager
def untouched(base: Base) -> Iterator[None]:
    """What TRL and PEFT leave on a base is taken off again, whatever it is: layers, hooks, wrapped methods, flags, settings.

    Weights are put back if they were replaced; none may be written to in place.
    """
    modules = list(base.model.modules())
    things: dict[int, Any] = {id(module): module for module in modules}
    for module in modules:
        things |= {id(value): value for value in vars(module).values() if isinstance(value, PreTrainedConfig | GenerationConfig)}
    attributes = [(thing, dict(vars(thing)), _contents(thing)) for thing in things.values()]
    weights = [(weight, weight.data, weight.requires_grad) for weight in base.model.parameters()]
    try:
        yield
    finally:
        for thing, held, contents in attributes:
            vars(thing).clear()
            vars(thing).update(held)
            for name, was in contents.items():
                held[name].clear()
                (held[name].extend if isinstance(was, list) else held[name].update)(was)
        for weight, data, learns in weights:
            if weight.data_ptr() != data.data_ptr() or weight.dtype != data.dtype:
                weight.data = data
            weight.requires_grad_(learns).grad = None


def _contents(thing: Any) -> dict[str, Any]:
    """Of its attributes that can be changed in place; the containers stay the same objects, hooks are removed by them."""
    return {name: copy.copy(value) for name, value in vars(thing).items() if isinstance(value, dict | list | set)}


def _quantization(model: ModelConfig, device: torch.device) -> dict[str, Any]:
    if not model.load_4bit:
        return {}
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=compute_dtype(device),
            bnb_4bit_use_double_quant=True,
        )
    }


def _pretrained(folder: Path, model: ModelConfig, device: torch.device) -> PreTrainedModel:
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=compute_dtype(device),
            device_map={"": device},
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=model.trust_remote_code is not None,
            **_quantization(model, device),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{folder}: cannot be loaded: {str(error).splitlines()[0]}") from error


def _random(folder: Path, model: ModelConfig, device: torch.device) -> PreTrainedModel:
    """The true shape from config.json, weights drawn from model.seed; 4-bit goes through a saved copy, as real weights do."""
    set_seed(model.seed)
    own = model.trust_remote_code is not None
    shape = AutoConfig.from_pretrained(folder, trust_remote_code=own)
    drawn = AutoModelForCausalLM.from_config(shape, dtype=compute_dtype(device), attn_implementation="sdpa", trust_remote_code=own)
    if not model.load_4bit:
        return drawn.to(device)
    with tempfile.TemporaryDirectory(prefix="sekft-random-") as copy:
        drawn.save_pretrained(copy)
        return _pretrained(Path(copy), model, device)

"""What is trained: an adapter put on a base and taken off, or all weights; saved with its fingerprint, loaded fresh and proven."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig as PeftLora
from peft import PeftConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import set_seed

from sekft.config import LoraConfig
from sekft.errors import ModelError
from sekft.model import full_weights
from sekft.model.base import Base, hub_tokenizer, untouched

FINGERPRINT = "fingerprint.json"


def peft_config(lora: LoraConfig) -> PeftLora:
    names = [name.strip() for name in lora.target_modules.split(",")]
    modules = names[0] if names == ["all-linear"] else names
    try:
        return PeftLora(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=modules,
            task_type="CAUSAL_LM",
            **lora.extra,
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"lora={lora.name}: {error}") from None


@contextmanager
def fresh(base: Base, lora: LoraConfig, seed: int) -> Iterator[Any]:
    """A new float32 adapter on the base, drawn from seed, or a copy of the base if lora.r is 0; the base is as before at the end."""
    with full_weights.copied(base) if lora.r == 0 else _adapter(base, lora, seed) as tuned:
        yield tuned


@contextmanager
def _adapter(base: Base, lora: LoraConfig, seed: int) -> Iterator[PeftModel]:
    with untouched(base):
        set_seed(seed)
        try:
            tuned = get_peft_model(base.model, peft_config(lora))
        except ValueError as error:
            raise ModelError(f"lora={lora.name}: {str(error).splitlines()[0]}") from None
        try:
            as_float32(tuned)
            yield tuned
        finally:
            tuned.unload()


@contextmanager
def loaded(base: Base, folder: Path, trainable: bool = False) -> Iterator[Any]:
    """What `save` left: the adapter on the base, or the weights beside it. Raises ModelError if nothing there fits; the base is clean."""
    with (
        full_weights.loaded(base, folder, trainable)
        if full_weights.is_whole(folder)
        else loaded_all(base, {"default": folder}, trainable) as tuned
    ):
        yield tuned


@contextmanager
def loaded_all(base: Base, folders: Mapping[str, Path], trainable: bool = False) -> Iterator[PeftModel]:
    """Saved adapters on the base, at least one, by names without a dot; the first is active. Raises ModelError as `loaded` does."""
    with untouched(base):
        tuned: PeftModel | None = None
        try:
            for name, folder in folders.items():
                tuned = _attach(tuned, name, folder, base, trainable)
            assert tuned is not None
            as_float32(tuned)
            if not trainable:
                tuned.eval()
            yield tuned
        finally:
            if tuned is not None:
                tuned.unload()


@contextmanager
def chosen(tuned: PeftModel, name: str | None) -> Iterator[None]:
    """The adapter of that name is active, or none is."""
    if name is None:
        with tuned.disable_adapter():
            yield
        return
    if tuned.active_adapter != name:
        tuned.set_adapter(name, inference_mode=True)
    yield


def _attach(tuned: PeftModel | None, name: str, folder: Path, base: Base, trainable: bool) -> PeftModel:
    """The base with one more adapter; what a failed one has put on it is taken off again."""
    try:
        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = not trainable
        if tuned is None:
            made = get_peft_model(base.model, config, adapter_name=name)
        else:
            tuned.add_adapter(name, config)
            made = tuned
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder}: does not fit {base.config.name}: {_said(error)}") from None
    try:
        _fill(made, name, folder, base)
    except ModelError:
        if tuned is None:
            made.unload()
        raise
    return made


def _fill(tuned: PeftModel, name: str, folder: Path, base: Base) -> None:
    try:
        weights = load_file(folder / "adapter_model.safetensors")
        report: Any = set_peft_model_state_dict(tuned, weights, adapter_name=name)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: does not fit {base.config.name}: {_said(error)}") from None
    lost = [*report.unexpected_keys, *(key for key in report.missing_keys if "lora_" in key and name in key.split("."))]
    if lost:
        raise ModelError(f"{folder}: does not fit {base.config.name}: {len(lost)} tensors have no counterpart, {lost[0]} among them")


def _said(error: Exception) -> str:
    """The line of an error that says something; torch's first one only announces it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[1] if len(lines) > 1 and lines[0].startswith("Error(s) in loading") else lines[0]


def as_float32(model: Any) -> None:
    """TRL casts adapters on a quantised base to bfloat16, where small updates vanish; ours stay float32."""
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()


def save(tuned: Any, base: Base, folder: Path, fingerprint: dict[str, Any]) -> Path:
    """adapter_model.safetensors or model.safetensors, its config, tokenizer, template and fingerprint, in <folder>.partial: see publish."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        tuned.save_pretrained(str(partial), safe_serialization=True)
    except SafetensorError as error:
        raise ModelError(f"{partial}: cannot be written, is the disk full? {_said(error)}") from None
    (partial / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    _in_order(partial / "adapter_config.json")
    hub_tokenizer(base).save_pretrained(partial)
    (partial / FINGERPRINT).write_text(json.dumps(fingerprint, indent=1) + "\n")
    return partial


def _in_order(config: Path) -> None:
    """PEFT keeps names of modules in sets: the same adapter would have other bytes in every process."""
    if config.exists():
        found = json.loads(config.read_text())
        ordered = {key: sorted(value) if isinstance(value, list) and key.endswith("modules") else value for key, value in found.items()}
        config.write_text(json.dumps(ordered, indent=2, sort_keys=True))


def put_back(tuned: Any, base: Base, folder: Path) -> None:
    """What `save` left in a folder, as the weights of the model that is trained. Raises ModelError if it does not fit."""
    if full_weights.is_whole(folder):
        full_weights.put_back(tuned, folder)
    else:
        _fill(tuned, tuned.active_adapter, folder, base)


def publish(partial: Path) -> Path:
    """Give a proven adapter its name."""
    folder = partial.with_name(partial.name.removesuffix(".partial"))
    shutil.rmtree(folder, ignore_errors=True)
    return partial.replace(folder)


def fingerprint_of(folder: Path) -> dict[str, Any] | None:
    """What the adapter was trained with; None for one made elsewhere: `render unproven`. Raises ModelError."""
    file = folder / FINGERPRINT
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ModelError(f"{file}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{file}: found a {type(found).__name__}, allowed: an object")
    return found


def require_fingerprint(folder: Path, expected: dict[str, Any]) -> bool:
    """False if there is none. Raises ModelError if an expected value differs: what was trained is not what would be served."""
    found = fingerprint_of(folder)
    for key in expected if found is not None else ():
        if found is not None and found.get(key) != expected[key]:
            raise ModelError(f"{folder}: trained with {key} {str(found.get(key))[:40]}, here it is {str(expected[key])[:40]}")
    return found is not None


def learned_from(scenarios: Iterable[str], adapter: str | None) -> dict[str, Any]:
    """Scenarios, and those that the adapter it was trained on from had learned from before; unproven: nobody knows all of those."""
    before = fingerprint_of(Path(adapter)) if adapter else {}
    known = {"scenarios": sorted({*scenarios, *(before or {}).get("scenarios", ())})}
    return known | ({"unproven": True} if before is None or before.get("unproven") else {})


@torch.no_grad()
def probe(model: Any, base: Base, ids: Sequence[int]) -> torch.Tensor:
    """Logits (T, V) of one row on the CPU, in eval mode."""
    training = model.training
    model.eval()
    logits = model(input_ids=torch.tensor([list(ids)], device=base.device), use_cache=False).logits[0].float().cpu()
    model.train(training)
    return logits


def prove(base: Base, folder: Path, ids: Sequence[int], trained: torch.Tensor) -> float:
    """Load the saved adapter fresh: it must give the trained logits, and others than the base.

    trained: (T, V). Returns the largest difference to the base's logits. Raises ModelError.
    """
    bare = probe(base.model, base, ids)
    with loaded(base, folder) as tuned:
        again = probe(tuned, base, ids)
    scale = float(trained.abs().max()) + 1e-9
    drift = float((again - trained).abs().max()) / scale
    if drift > (1e-5 if base.device.type == "cpu" and not base.config.load_4bit else 2e-2):
        raise ModelError(f"{folder}: loaded fresh it does not give the trained logits (relative difference {drift:.1e})")
    moved = float((again - bare).abs().max())
    if moved == 0.0:
        raise ModelError(
            f"{folder}: the adapter changes nothing; refused (is trainer.lr 0 in every step? see trainer.warmup, trainer.max_steps)"
        )
    return moved

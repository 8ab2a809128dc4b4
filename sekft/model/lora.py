"""Adapters and full models in training: created on a base, saved with their fingerprint, loaded again and verified."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig as PeftLora
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import set_seed

from sekft.config import LoraConfig
from sekft.errors import ModelError
from sekft.model import full_weights
from sekft.model.adapter import FINGERPRINT, is_full_model
from sekft.model.base import Base, hub_tokenizer, restored
from sekft.model.files import require_whole
from sekft.tracking.files import write_text


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
    """A new float32 adapter on the base, initialised from seed; for lora.r = 0 a copy of the base. The base is restored at the end."""
    with full_weights.copied(base) if lora.r == 0 else _adapter(base, lora, seed) as tuned:
        yield tuned


@contextmanager
def _adapter(base: Base, lora: LoraConfig, seed: int) -> Iterator[PeftModel]:
    with restored(base):
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
    """Load what `save` wrote: an adapter on the base, or a full model beside it. Raises ModelError if it does not fit the base."""
    with (
        full_weights.loaded(base, folder, trainable) if is_full_model(folder) else loaded_all(base, {"default": folder}, trainable) as tuned
    ):
        yield tuned


@contextmanager
def loaded_all(base: Base, folders: Mapping[str, Path], trainable: bool = False) -> Iterator[PeftModel]:
    """Load saved adapters on the base; the first one is active. folders: at least one, by names without a dot. Raises ModelError."""
    with restored(base):
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
def activated(tuned: PeftModel, name: str | None) -> Iterator[None]:
    """Make the adapter of that name the active one; None: disable all adapters."""
    if name is None:
        with tuned.disable_adapter():
            yield
        return
    if tuned.active_adapter != name:
        tuned.set_adapter(name, inference_mode=True)
    yield


def _attach(tuned: PeftModel | None, name: str, folder: Path, base: Base, trainable: bool) -> PeftModel:
    """Add one adapter to the base, or to the PEFT model on it. Raises ModelError, with what the adapter added removed."""
    try:
        config = PeftConfig.from_pretrained(str(folder))
        config.inference_mode = not trainable
        if tuned is None:
            attached = get_peft_model(base.model, config, adapter_name=name)
        else:
            tuned.add_adapter(name, config)
            attached = tuned
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder}: does not fit {base.config.name}: {_first_line(error)}") from None
    try:
        _load_weights(attached, name, folder, base)
    except ModelError:
        if tuned is None:
            attached.unload()
        raise
    return attached


def _load_weights(tuned: PeftModel, name: str, folder: Path, base: Base) -> None:
    """Load every tensor of one adapter. Raises ModelError for a file that is damaged, lacks a tensor or has one too many."""
    file = folder / "adapter_model.safetensors"
    require_whole(file)
    try:
        weights = load_file(file)
        given = weights.keys() | {f"{key}.weight" for key in weights}  # PEFT before 0.12 wrote DoRA's magnitudes without `.weight`
        expected = get_peft_model_state_dict(tuned, adapter_name=name, save_embedding_layers=False)
        if missing := sorted(expected.keys() - given):
            raise ModelError(
                f"{file}: lacks {len(missing)} of {len(expected)} tensors that adapter_config.json promises, for example {missing[0]}; "
                "save or fetch the adapter again"
            )
        keys: Any = set_peft_model_state_dict(tuned, weights, adapter_name=name)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(f"{folder}: does not fit {base.config.name}: {_first_line(error)}") from None
    if unmatched := keys.unexpected_keys:
        raise ModelError(
            f"{folder}: does not fit {base.config.name}: {len(unmatched)} tensors have no counterpart, for example {unmatched[0]}"
        )


def _first_line(error: Exception) -> str:
    """The first informative line of an error: torch's first line only announces a list of errors."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[1] if len(lines) > 1 and lines[0].startswith("Error(s) in loading") else lines[0]


def as_float32(model: Any) -> None:
    """Cast adapter weights to float32: TRL casts those on a quantised base to bfloat16, where small updates vanish."""
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()


def save(tuned: Any, base: Base, folder: Path, fingerprint: dict[str, Any]) -> Path:
    """Write the adapter or full model with config, tokenizer, template and fingerprint to <folder>.partial; return that folder.

    `publish` renames it once it is verified. Raises ModelError if it cannot be written.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        tuned.save_pretrained(str(partial), safe_serialization=True)
    except SafetensorError as error:
        raise ModelError(f"{partial}: cannot be written, is the disk full? {_first_line(error)}") from None
    (partial / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    _sort_module_names(partial / "adapter_config.json")
    hub_tokenizer(base).save_pretrained(partial)
    write_text(partial / FINGERPRINT, json.dumps(fingerprint, indent=1) + "\n")
    return partial


def _sort_module_names(config: Path) -> None:
    """PEFT keeps module names in sets, so that the same adapter would have other bytes in every process."""
    if config.exists():
        settings = json.loads(config.read_text())
        ordered = {key: sorted(value) if isinstance(value, list) and key.endswith("modules") else value for key, value in settings.items()}
        write_text(config, json.dumps(ordered, indent=2, sort_keys=True))


def restore_weights(tuned: Any, base: Base, folder: Path) -> None:
    """Load what `save` wrote into the model in training. Raises ModelError if it does not fit."""
    if is_full_model(folder):
        full_weights.restore_weights(tuned, folder)
    else:
        _load_weights(tuned, tuned.active_adapter, folder, base)


def publish(partial: Path) -> Path:
    """Rename <name>.partial to <name>, replacing a folder of that name."""
    folder = partial.with_name(partial.name.removesuffix(".partial"))
    shutil.rmtree(folder, ignore_errors=True)
    return partial.replace(folder)


@torch.no_grad()
def probe(model: Any, base: Base, ids: Sequence[int]) -> torch.Tensor:
    """The logits (T, V) of one row of T ids, computed as in an episode: in eval mode, without the trainer's autocast. On the CPU."""
    training = model.training
    model.eval()
    forward = getattr(model, "_original_forward", model.forward)  # accelerate keeps it where it wraps forward in autocast
    logits = forward(input_ids=torch.tensor([list(ids)], device=base.device), use_cache=False).logits[0].float().cpu()
    model.train(training)
    return logits


def prove(base: Base, folder: Path, ids: Sequence[int], trained: torch.Tensor) -> float:
    """Load the saved adapter again and verify that it gives the trained logits, and not those of the base.

    trained: (T, V), the logits of ids before saving. Returns the largest difference from the base's logits. Raises ModelError.
    """
    bare = probe(base.model, base, ids)
    with loaded(base, folder) as tuned:
        reloaded = probe(tuned, base, ids)
    scale = float(trained.abs().max()) + 1e-9
    drift = float((reloaded - trained).abs().max()) / scale
    exact = base.device.type == "cpu" and not base.config.load_4bit
    if drift > (1e-5 if exact else 2e-2):  # 2e-2: five steps of bfloat16
        raise ModelError(f"{folder}: loaded again, it does not give the trained logits (relative difference {drift:.1e})")
    effect = float((reloaded - bare).abs().max())
    if effect == 0.0:
        raise ModelError(
            f"{folder}: the adapter changes nothing; refused: is trainer.lr 0 in every step? see trainer.warmup and trainer.max_steps"
        )
    return effect

"""All weights instead of an adapter, for lora=none: a copy of the base learns, the base stays what it is compared with."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from sekft.errors import ModelError
from sekft.model.base import Base, compute_dtype

ADAPTER = "adapter_config.json"  # what tells an adapter from whole weights


def is_whole(folder: Path) -> bool:
    return (folder / "config.json").exists() and not (folder / ADAPTER).exists()


@contextmanager
def copied(base: Base) -> Iterator[PreTrainedModel]:
    """A float32 copy that learns in every weight: small updates vanish in bfloat16. base: not quantised."""
    yield copy.deepcopy(base.model).float().requires_grad_(True)


@contextmanager
def loaded(base: Base, folder: Path, trainable: bool) -> Iterator[PreTrainedModel]:
    """Saved weights beside the base. Raises ModelError unless they are of the base's shape."""
    dtype = torch.float32 if trainable else compute_dtype(base.device)
    try:
        tuned = AutoModelForCausalLM.from_pretrained(folder, device_map={"": base.device}, attn_implementation="sdpa", **_safe(dtype))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"{folder}: cannot be loaded: {str(error).splitlines()[0]}") from None
    if (found := shape(tuned)) != (expected := shape(base.model)):
        name = min(found.items() ^ expected.items())[0]
        here, there = found.get(name, "absent"), expected.get(name, "absent")
        raise ModelError(f"{folder}: does not fit {base.config.name}: {name} is {here} here, {there} there")
    yield tuned.requires_grad_(trainable).eval()


def _safe(dtype: torch.dtype) -> dict[str, Any]:
    """Nothing that lies in a folder of weights is run."""
    return {"dtype": dtype, "use_safetensors": True, "trust_remote_code": False}


def put_back(tuned: PreTrainedModel, folder: Path) -> None:
    """Saved weights into the copy that learns."""
    saved = AutoModelForCausalLM.from_pretrained(folder, **_safe(torch.float32))
    tuned.load_state_dict(saved.state_dict())


def shape(model: PreTrainedModel) -> dict[str, tuple[int, ...]]:
    """Of every weight by name, whatever adapters are on the model."""
    own = ((name.replace(".base_layer", ""), parameter) for name, parameter in model.named_parameters() if "lora_" not in name)
    return {name: tuple(parameter.shape) for name, parameter in own}

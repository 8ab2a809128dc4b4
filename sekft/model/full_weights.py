"""Training of all weights instead of an adapter (lora=none): a copy of the base learns; the base itself stays for comparison."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, PreTrainedModel

from sekft.errors import ModelError
from sekft.model.base import Base, require_all_weights


@contextmanager
def copied(base: Base) -> Iterator[PreTrainedModel]:
    """A float32 copy whose weights all learn; small updates would vanish in bfloat16. base: not quantised."""
    yield copy.deepcopy(base.model).float().requires_grad_(True)


@contextmanager
def loaded(base: Base, folder: Path, trainable: bool) -> Iterator[PreTrainedModel]:
    """Load a full model beside the base. Raises ModelError unless all its weights have the shapes of the base's."""
    dtype = torch.float32 if trainable else base.dtype
    try:
        found_there: Any = AutoModelForCausalLM.from_pretrained(
            folder, output_loading_info=True, device_map={"": base.device}, attn_implementation="sdpa", **_load_options(dtype)
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot be loaded: {str(error).splitlines()[0]}") from None
    tuned, info = found_there
    require_all_weights(folder, info)
    if (found := parameter_shapes(tuned)) != (expected := parameter_shapes(base.model)):
        name = min(found.items() ^ expected.items())[0]
        raise ModelError(
            f"{folder}: does not fit {base.config.name}: {name} is {found.get(name, 'absent')}, "
            f"allowed: {expected.get(name, 'absent')}, as in the base"
        )
    yield tuned.requires_grad_(trainable).eval()


def _load_options(dtype: torch.dtype) -> dict[str, Any]:
    """Options that keep transformers from running code or pickles in the folder."""
    return {"dtype": dtype, "use_safetensors": True, "trust_remote_code": False}


def restore_weights(tuned: PreTrainedModel, folder: Path) -> None:
    """Load saved weights into the copy that learns."""
    saved = AutoModelForCausalLM.from_pretrained(folder, **_load_options(torch.float32))
    tuned.load_state_dict(saved.state_dict())


def parameter_shapes(model: PreTrainedModel) -> dict[str, tuple[int, ...]]:
    """The shape of every weight by name, leaving out adapters on the model."""
    parameters = ((name.replace(".base_layer", ""), parameter) for name, parameter in model.named_parameters() if "lora_" not in name)
    return {name: tuple(parameter.shape) for name, parameter in parameters}

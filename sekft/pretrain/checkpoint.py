"""Checkpoints of a pre-training, replaced atomically, so that a killed run leaves the previous one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import MistralForCausalLM

from sekft.errors import SettingsError
from sekft.tracking.files import plain, replacing

FILE, EARLY = "checkpoint.pt", "early-{step}.pt"
# settings that may differ from those of the checkpoint
FREE = ("steps", "decay_share", "save_every_steps", "probe_every_steps", "keep_steps", "rare_share", "experiment")


@dataclass(frozen=True)
class State:
    model: MistralForCausalLM
    optimizers: tuple[torch.optim.Optimizer, ...]


def save(state: State, step: int, folder: Path, settings: Mapping[str, Any]) -> None:
    parts = {"step": step, "settings": plain(settings), "model": state.model.state_dict()}
    parts["optimizers"] = [optimizer.state_dict() for optimizer in state.optimizers]
    with replacing(folder / FILE, "wb") as file:
        torch.save(parts, file)


def load(state: State, folder: Path, settings: Mapping[str, Any]) -> int:
    """Load the checkpoint; return its number of steps, 0 if there is none. Raises SettingsError if it was made with other settings."""
    if not (folder / FILE).exists():
        return 0
    parts, settings = torch.load(folder / FILE, weights_only=True), plain(settings)
    for key, value in parts["settings"].items():
        if key not in FREE and settings.get(key, value) != value:
            raise SettingsError(f"{folder / FILE}: made with {key}={value}, found {settings[key]}; use another folder")
    state.model.load_state_dict(parts["model"])
    for optimizer, values in zip(state.optimizers, parts["optimizers"], strict=True):
        optimizer.load_state_dict(values)
    return int(parts["step"])


def kept_weights(folder: Path, steps: Sequence[int]) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Yield (step, weights) of the kept early models, then of the last checkpoint."""
    for step in steps:
        if (file := folder / EARLY.format(step=step)).exists():
            yield step, torch.load(file, weights_only=True)
    last = torch.load(folder / FILE, weights_only=True)
    yield int(last["step"]), last["model"]

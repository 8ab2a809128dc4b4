"""Forecast of a training's memory (bytes) and work (FLOPs), from config.json, the settings and the lengths of the rows."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch

from sekft.config import TrainConfig
from sekft.data.sample import Row
from sekft.model import base as bases
from sekft.model.dtype import choose_dtype, is_mixed
from sekft.model.shape import FAMILIES, Shape, shape_of
from sekft.train.batch_plan import choose_layout, plan, rows_per_step

NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes of a 4-bit weight with its doubly quantised scales
ADAPTER = 16  # bytes of a parameter: float32 value, gradient, two moments of Adam
FREE_SHARE = 0.9  # of the free memory that a forecast may fill, as allocators fragment it
# bytes per learned position and vocabulary entry, by the bytes of the compute type: logits, their float32 copy, two tensors for the loss
LOGIT = {2: 16, 4: 12}


@dataclass(frozen=True)
class Forecast:
    """Bytes at the peak of the largest forward pass, and the work of the whole training."""

    weights: float
    adapter: float
    activations: float
    logits: float
    tokens: int  # in the largest pass
    steps: int
    flops: float

    def needed(self) -> float:
        return self.weights + self.adapter + self.activations + self.logits


def flops(shape: Shape, adapter: int, lengths: Sequence[int], learned: int, recomputed: bool) -> float:
    """FLOPs of one forward and backward pass.

    A token costs 2 + 2 per parameter of a frozen matrix and 2 + 4 per parameter of the adapter; causal attention costs half of the square.
    lengths: tokens of each row, padding included. recomputed: activations are recomputed in the backward pass.
    """
    tokens = sum(lengths)
    scores = 2 * shape.layers * shape.query * sum(length**2 for length in lengths)
    forward = (2 * shape.matrices() + 2 * adapter) * tokens + scores
    backward = (2 * shape.matrices() + 4 * adapter) * tokens + 2.5 * scores
    return forward * (2 if recomputed else 1) + backward + 4 * shape.vocabulary * shape.hidden * learned


def forecast(shape: Shape, settings: TrainConfig, rows: Sequence[Row], device: str, dtype: torch.dtype, steps: int) -> Forecast:
    """device: torch's name of the type. dtype: of the base's weights."""
    trainer = settings.trainer
    width = 2 if is_mixed(trainer.precision, device, dtype) else dtype.itemsize
    layout = choose_layout(trainer, device)
    lengths = [len(row.ids) for row in rows]
    learned = [sum(weight > 0 for weight in row.weight[1:]) for row in rows]
    planned = plan(lengths, rows_per_step(trainer), layout, settings.seed, 0)
    passes = [indices for step in planned for indices in step]
    recomputed = trainer.checkpointing if trainer.checkpointing is not None else device == "cuda"
    adapter = shape.adapter(settings.lora)
    tokens, logits = max((layout.computed([lengths[row] for row in indices]), sum(learned[row] for row in indices)) for indices in passes)
    kept = shape.kept(width, settings.lora.r, settings.lora.dropout > 0)
    per_token = shape.layers * shape.hidden * width + kept if recomputed else shape.layers * kept
    epoch = 0.0
    for indices in passes:
        sizes = [lengths[row] for row in indices]
        computed = sizes if layout.tokens else [max(sizes)] * len(sizes)
        epoch += flops(shape, adapter, computed, sum(learned[row] for row in indices), recomputed)
    return Forecast(
        weights=_weights(shape, settings, dtype),
        adapter=adapter * ADAPTER,
        activations=tokens * per_token,
        logits=logits * shape.vocabulary * LOGIT[width],
        tokens=tokens,
        steps=steps,
        flops=epoch * steps / len(planned),
    )


def decide_checkpointing(folder: Path, settings: TrainConfig, rows: Sequence[Row]) -> TrainConfig:
    """The settings with trainer.checkpointing decided: activations are recomputed only if they do not fit into this machine's memory.

    folder: of the base.
    """
    device = bases.pick_device(settings.model.device)
    if settings.trainer.checkpointing is not None or settings.trainer.context_frozen or device.type != "cuda":
        return settings
    shape = shape_of(json.loads((folder / "config.json").read_text()))
    dtype, _ = choose_dtype(settings.model, folder, device)
    recomputed = shape is None or not fits(shape, settings, rows, device.type, dtype, _free_bytes(device, dtype, settings, shape))
    return _with(settings, recomputed)


def fits(shape: Shape, settings: TrainConfig, rows: Sequence[Row], device: str, dtype: torch.dtype, free: float) -> bool:
    """Whether the largest pass fits into `free` bytes without recomputing activations."""
    return forecast(shape, _with(settings, False), rows, device, dtype, steps=1).needed() < FREE_SHARE * free


def _with(settings: TrainConfig, checkpointing: bool) -> TrainConfig:
    return replace(settings, trainer=replace(settings.trainer, checkpointing=checkpointing))


def _free_bytes(device: torch.device, dtype: torch.dtype, settings: TrainConfig, shape: Shape) -> float:
    """Memory for this run, including its base's weights if the base is loaded already."""
    loaded = (base := bases.resident()) is not None and base.config == settings.model
    return free_bytes(device) + (_weights(shape, settings, dtype) if loaded else 0)


def _weights(shape: Shape, settings: TrainConfig, dtype: torch.dtype) -> float:
    return shape.matrices() * (NF4 if settings.model.load_4bit else dtype.itemsize) + shape.others() * dtype.itemsize


def lines(folder: Path, settings: TrainConfig, rows: Sequence[Row], steps: int) -> tuple[str, str]:
    """The forecast for this machine: what decides, and all parts of it. folder: of the base, which is not loaded."""
    config = json.loads((folder / "config.json").read_text())
    shape, device = shape_of(config), bases.pick_device(settings.model.device)
    if shape is None:
        unknown = f"forecast: none for model_type={config.get('model_type')} (known: {', '.join(FAMILIES)})"
        return unknown, unknown
    dtype, _ = choose_dtype(settings.model, folder, device)
    found, free = forecast(shape, settings, rows, device.type, dtype, steps), _free_bytes(device, dtype, settings, shape)
    speed = matmul_flops(device, torch.bfloat16 if is_mixed(settings.trainer.precision, device.type, dtype) else dtype)
    parts = f"weights {gib(found.weights)}, adapter and optimizer {gib(found.adapter)}, activations {gib(found.activations)}"
    parts += " recomputed" if settings.trainer.checkpointing else ""
    warning = "" if found.needed() < free else " IT MAY NOT FIT: see trainer.checkpointing, model.load_4bit, trainer.tokens_per_batch."
    least = f"at least {found.flops / speed:,.0f} s on {device.type}"
    brief = f"forecast: {gib(found.needed())} GiB of {gib(free)} free.{warning} {found.steps} steps, {least}"
    return brief, (
        f"forecast: {parts} ({found.tokens} tokens in the largest pass), logits {gib(found.logits)}: "
        f"{gib(found.needed())} GiB of {gib(free)} free.{warning} {found.steps} steps, "
        f"{found.flops:.1e} FLOP: {least} at its {speed / 1e12:,.2g} TFLOP/s"
    )


def gib(amount: float) -> str:
    return f"{amount / 2**30:.2f}"


def free_bytes(device: torch.device) -> int:
    """Free memory; on a GPU including what torch has reserved and not allocated."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def matmul_flops(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of large matrix products, the best of three: an upper bound on the speed of a training."""
    size = 8192 if device.type == "cuda" else 512
    matrix = torch.randn(size, size, device=device, dtype=dtype)  # a GPU multiplies ones faster than real numbers
    seconds = []
    for _ in range(4):  # the first is a warm-up
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds[1:])

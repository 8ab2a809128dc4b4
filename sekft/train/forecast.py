"""Will it fit, and how much work is it: bytes and FLOPs of a run from config.json, the settings and the rows' lengths alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sekft.config import LoraConfig, TrainConfig
from sekft.data.sample import Row
from sekft.train.batch_plan import layout, plan, rows_per_step

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")  # gated decoders; of others only their own code knows the shape
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes of a 4-bit weight with its doubly quantised scales
ADAPTER = 16  # bytes: float32 value, gradient, two moments of Adam
ROOM = 0.9  # of the free memory that a forecast may fill: allocators leave holes
LOGIT = {2: 16, 4: 12}  # bytes at each learned position and word, by those of the compute type: logits, their float32, two for the loss
# bytes that one layer keeps of a token until the backward pass, per unit of width; counted, see benchmarks/counters.py
KEPT = {2: {"hidden": 12, "mlp": 8, "query": 4, "value": 4, "rank": 14}, 4: {"hidden": 16, "mlp": 16, "query": 8, "value": 8, "rank": 28}}
KEPT_BY_DROPOUT = {2: {"hidden": 16, "mlp": 2, "query": 4}, 4: {"hidden": 32, "mlp": 4, "query": 8}}


@dataclass(frozen=True)
class Shape:
    """A decoder as its config.json describes it. query, value: width of all heads, of all key/value heads."""

    layers: int
    hidden: int
    mlp: int
    heads: int
    query: int
    value: int
    head: int
    vocabulary: int
    tied: bool  # embeddings serve as the output layer too
    biased: frozenset[str]
    head_norms: bool

    def linear(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of one layer's matrices."""
        return {
            "q_proj": (self.hidden, self.query),
            "k_proj": (self.hidden, self.value),
            "v_proj": (self.hidden, self.value),
            "o_proj": (self.query, self.hidden),
            "gate_proj": (self.hidden, self.mlp),
            "up_proj": (self.hidden, self.mlp),
            "down_proj": (self.mlp, self.hidden),
        }

    def matrices(self) -> int:
        """Parameters of all layers' matrices."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.linear().values())

    def others(self) -> int:
        """All other parameters: embeddings, output layer, norms, biases."""
        biases = sum(outputs for name, (_, outputs) in self.linear().items() if name in self.biased)
        norms = 2 * self.hidden + (2 * self.head if self.head_norms else 0)
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + self.layers * (norms + biases) + self.hidden

    def adapter(self, lora: LoraConfig) -> int:
        names = {name.strip() for name in lora.target_modules.split(",")}
        chosen = self.linear() if names == {"all-linear"} else {name: size for name, size in self.linear().items() if name in names}
        return self.layers * lora.r * sum(inputs + outputs for inputs, outputs in chosen.values())

    def kept(self, width: int, rank: int, dropout: bool) -> int:
        """Bytes one layer keeps of one token for the backward pass. width: bytes of the compute type, 2 or 4."""
        sizes = {"hidden": self.hidden, "mlp": self.mlp, "query": self.query, "value": self.value, "rank": rank}
        more = KEPT_BY_DROPOUT[width] if dropout else {}
        return sum(sizes[name] * (per + more.get(name, 0)) for name, per in KEPT[width].items()) + 4 * self.heads + 8


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """config: config.json. None for an architecture that is not a plain gated decoder."""
    family = config.get("model_type")
    if family not in FAMILIES:
        return None
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or hidden // heads
    biased = {"q_proj", "k_proj", "v_proj"} if family == "qwen2" or config.get("attention_bias") else set()
    biased |= {"o_proj"} if config.get("attention_bias") and family != "qwen2" else set()
    biased |= {"gate_proj", "up_proj", "down_proj"} if config.get("mlp_bias") else set()
    return Shape(
        layers=config["num_hidden_layers"],
        hidden=hidden,
        mlp=config["intermediate_size"],
        heads=heads,
        query=heads * head,
        value=(config.get("num_key_value_heads") or heads) * head,
        head=head,
        vocabulary=config["vocab_size"],
        tied=bool(config.get("tie_word_embeddings", False)),
        biased=frozenset(biased),
        head_norms=family == "qwen3",
    )


@dataclass(frozen=True)
class Forecast:
    """Bytes at the peak of the largest pass, and the work of the whole run."""

    weights: float
    adapter: float
    activations: float
    logits: float
    tokens: int  # of the largest pass
    steps: int
    flops: float

    def needed(self) -> float:
        return self.weights + self.adapter + self.activations + self.logits


def flops(shape: Shape, adapter: int, lengths: Sequence[int], learned: int, recomputed: bool) -> float:
    """Of one pass, forward and backward: a frozen matrix costs 2 + 2 per token, the adapter's 2 + 4, causal attention half a square.

    lengths: tokens each row occupies, pads included.
    """
    tokens = sum(lengths)
    scores = 2 * shape.layers * shape.query * sum(length**2 for length in lengths)
    forward = (2 * shape.matrices() + 2 * adapter) * tokens + scores
    backward = (2 * shape.matrices() + 4 * adapter) * tokens + 2.5 * scores
    return forward * (2 if recomputed else 1) + backward + 4 * shape.vocabulary * shape.hidden * learned


def forecast(shape: Shape, settings: TrainConfig, rows: Sequence[Row], device: str, steps: int) -> Forecast:
    """device: its type, as torch names it."""
    trainer, width = settings.trainer, 2 if device == "cuda" else 4
    how = layout(trainer, device)
    lengths = [len(row.ids) for row in rows]
    learned = [sum(weight > 0 for weight in row.weight[1:]) for row in rows]
    planned = plan(lengths, rows_per_step(trainer), how, settings.seed, 0)
    passes = [one for step in planned for one in step]
    recomputed = trainer.checkpointing if trainer.checkpointing is not None else device == "cuda"
    adapter = shape.adapter(settings.lora)
    tokens, logits = max((how.computed([lengths[row] for row in one]), sum(learned[row] for row in one)) for one in passes)
    kept = shape.kept(width, settings.lora.r, settings.lora.dropout > 0)
    held = shape.layers * shape.hidden * width + kept if recomputed else shape.layers * kept
    epoch = 0.0
    for one in passes:
        filled = [max(lengths[row] for row in one)] * len(one) if not how.tokens else [lengths[row] for row in one]
        epoch += flops(shape, adapter, filled, sum(learned[row] for row in one), recomputed)
    return Forecast(
        weights=_weights(shape, settings, device),
        adapter=adapter * ADAPTER,
        activations=tokens * held,
        logits=logits * shape.vocabulary * LOGIT[width],
        tokens=tokens,
        steps=steps,
        flops=epoch * steps / len(planned),
    )


def settled(folder: Path, settings: TrainConfig, rows: Sequence[Row]) -> TrainConfig:
    """The settings with trainer.checkpointing decided for this machine: recomputed only where nothing else fits. folder: of the base."""
    from sekft.model.base import pick_device

    device = pick_device(settings.model.device)
    if settings.trainer.checkpointing is not None or settings.trainer.context_frozen or device.type != "cuda":
        return settings
    shape = shape_of(json.loads((folder / "config.json").read_text()))
    recomputed = shape is None or not fits_open(shape, settings, rows, device.type, _free(device, settings, shape))
    return _with(settings, recomputed)


def fits_open(shape: Shape, settings: TrainConfig, rows: Sequence[Row], device: str, free: float) -> bool:
    """Whether the passes fit into so many bytes with all activations kept."""
    return forecast(shape, _with(settings, False), rows, device, steps=1).needed() < ROOM * free


def _with(settings: TrainConfig, checkpointing: bool) -> TrainConfig:
    return replace(settings, trainer=replace(settings.trainer, checkpointing=checkpointing))


def _free(device: Any, settings: TrainConfig, shape: Shape) -> float:
    """Bytes for this run, the weights of its base among them if they are there already."""
    from sekft.model.base import kept
    from sekft.train.machine import free_bytes

    there = (base := kept()) is not None and base.config == settings.model
    return free_bytes(device) + (_weights(shape, settings, device.type) if there else 0)


def _weights(shape: Shape, settings: TrainConfig, device: str) -> float:
    width = 2 if device == "cuda" else 4
    return shape.matrices() * (NF4 if settings.model.load_4bit else width) + shape.others() * width


def line(folder: Path, settings: TrainConfig, rows: Sequence[Row], steps: int) -> str:
    """What to expect on this machine, said before the base is loaded. folder: of the base."""
    from sekft.model.base import pick_device
    from sekft.train.machine import matmul_flops

    config = json.loads((folder / "config.json").read_text())
    shape, device = shape_of(config), pick_device(settings.model.device)
    if shape is None:
        return f"forecast: none for model_type={config.get('model_type')} (known: {', '.join(FAMILIES)})"
    told, free = forecast(shape, settings, rows, device.type, steps), _free(device, settings, shape)
    speed = matmul_flops(device)
    parts = f"weights {gib(told.weights)}, adapter and optimizer {gib(told.adapter)}, activations {gib(told.activations)}"
    parts += " recomputed" if settings.trainer.checkpointing else ""
    fits = "" if told.needed() < free else " IT MAY NOT FIT: see trainer.checkpointing, model.load_4bit, trainer.tokens_per_batch."
    return (
        f"forecast: {parts} ({told.tokens} tokens in the largest pass), logits {gib(told.logits)}: {gib(told.needed())} GiB of {gib(free)} "
        f"free.{fits} {told.steps} steps, {told.flops:.1e} FLOP: at least {told.flops / speed:,.0f} s on {device.type} at its "
        f"{speed / 1e12:,.2g} TFLOP/s"
    )


def gib(amount: float) -> str:
    return f"{amount / 2**30:.2f}"

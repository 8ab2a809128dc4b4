"""The sizes of a base, read from its config.json or stated in conf/model/: no weights and no torch."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sekft.config import LoraConfig, ModelConfig
from sekft.errors import SekftError
from sekft.model.locate import base_folder, offline

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")  # gated decoders; the shape of others is known to their own code only
# bytes per token and unit of width that one layer keeps for the backward pass; counted by benchmarks/counters.py
KEPT = {2: {"hidden": 12, "mlp": 8, "query": 4, "value": 4, "rank": 14}, 4: {"hidden": 16, "mlp": 16, "query": 8, "value": 8, "rank": 28}}
KEPT_BY_DROPOUT = {2: {"hidden": 16, "mlp": 2, "query": 4}, 4: {"hidden": 32, "mlp": 4, "query": 8}}


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder in its config.json. query, value: width of all query heads, of all key/value heads together."""

    layers: int
    hidden: int
    mlp: int
    heads: int
    query: int
    value: int
    head: int
    vocabulary: int
    tied: bool  # the embeddings are the output layer
    biased: frozenset[str]  # names of the matrices with a bias
    head_norms: bool

    def linear(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of one layer's matrices by name."""
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
        """Parameters of the adapter."""
        names = {name.strip() for name in lora.target_modules.split(",")}
        chosen = self.linear() if names == {"all-linear"} else {name: size for name, size in self.linear().items() if name in names}
        return self.layers * lora.r * sum(inputs + outputs for inputs, outputs in chosen.values())

    def kept(self, width: int, rank: int, dropout: bool) -> int:
        """Bytes that one layer keeps per token for the backward pass. width: bytes of the compute type, 2 or 4."""
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
class Size:
    """What the rules for recipe and evaluation know about a base. None: not known here. source: where it is read from."""

    parameters: float | None
    context: int | None  # tokens of prompt and reply together
    source: str
    cache: int | None = None  # bytes of keys and values per token, in 16 bits


def size_of(model: ModelConfig, download: bool = True) -> Size:
    """The size of a base from its config.json; where that is not on this machine, from model.parameters and model.context.

    download: a hub id may be looked up at the hub; else only in the local cache.
    """
    try:
        with nullcontext() if download else offline():
            folder = base_folder(model, weights=False)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        parameters, context = parameters_of(config) or model.parameters, context_of(config) or model.context
        return Size(parameters, context, "its config.json", cache_of(config))
    except (SekftError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return Size(model.parameters, model.context, "model.parameters" if model.parameters else "neither config.json nor model.parameters")


def parameters_of(config: Mapping[str, Any]) -> float | None:
    """The parameters of a decoder; for an architecture that is not in FAMILIES an estimate as if it were one; None without its sizes."""
    shape = _assumed_shape(config)
    return shape.matrices() + shape.others() if shape else None


def cache_of(config: Mapping[str, Any]) -> int | None:
    """Bytes of keys and values per token in 16 bits, estimated likewise."""
    shape = _assumed_shape(config)
    return 2 * 2 * shape.layers * shape.value if shape else None


def _assumed_shape(config: Mapping[str, Any]) -> Shape | None:
    config = config.get("text_config") or config
    try:
        return shape_of(config) or shape_of({**config, "model_type": FAMILIES[0]})
    except (KeyError, TypeError):
        return None


def context_of(config: Mapping[str, Any]) -> int | None:
    """The context length in tokens; None if config.json does not state it."""
    return (config.get("text_config") or config).get("max_position_embeddings")

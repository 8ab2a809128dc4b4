"""Settings of the base model."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from sekft.config.bounds import at_least

Weights = StrEnum("Weights", "pretrained random")
Device = StrEnum("Device", "auto cuda mps cpu")
Dtype = StrEnum("Dtype", "auto float32 bfloat16")


@dataclass(unsafe_hash=True)
class ModelConfig:
    """The base, which is never changed. Hashable: a process loads each distinct value once."""

    name: str = field(default=MISSING, compare=False)  # the base's name in reports
    path: str = MISSING  # folder or Hub id of the weights and the tokenizer
    weights: Weights = Weights.pretrained  # random: the architecture of path with random weights
    template: str | None = None  # chat template: chatml, tinystories or a file; null: the template that comes with the base
    template_options: Any = field(default=None, hash=False)  # values of the template's own variables: {enable_thinking: false}
    check_tokenizer: bool = True  # refuse a base whose tokenizer.json splits code differently from its tokenizer.model
    trust_remote_code: str | None = None  # repeat model.path here to allow Python code in it to run; null: such a base is refused
    load_4bit: bool = False  # quantise the weights to NF4 with bitsandbytes; works on a CPU too
    device: Device = Device.auto
    dtype: Dtype = Dtype.auto  # of the weights; auto: bfloat16 where the device has it fast and the base is no toy, else float32
    seed: int = at_least(0, default=0)  # for weights=random
    parameters: float | None = field(default=None, compare=False, repr=False)  # for a plan without the base's config.json, which wins
    context: int | None = field(default=None, compare=False, repr=False)  # tokens; likewise
    licence: str | None = field(default=None, compare=False, repr=False)  # licence of the weights, for run.json; null: from their card
    why: str | None = field(default=None, compare=False, repr=False)  # why this base was chosen, for run.json

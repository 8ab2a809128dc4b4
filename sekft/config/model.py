"""Settings of the base model."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from sekft.config.bounds import at_least, bounds

Weights = StrEnum("Weights", "pretrained random")
Device = StrEnum("Device", "auto cuda mps cpu")
Dtype = StrEnum("Dtype", "auto float32 bfloat16")


@dataclass(unsafe_hash=True)
class ModelConfig:
    """The base, which is never changed. Hashable: a process loads each distinct value once."""

    name: str = field(default=MISSING, compare=False)  # the base's name in reports; e.g. mine
    path: str = MISSING  # folder, Hub id or GGUF file of the weights and the tokenizer; e.g. org/NAME
    weights: Weights = Weights.pretrained  # random: the architecture of path with random weights
    # chat template: chatml, tinystories or a file; null: the template that comes with the base; e.g. chatml
    template: str | None = None
    # values of the template's own variables; e.g. {enable_thinking: false}
    template_options: Any = field(default=None, hash=False)
    check_tokenizer: bool = True  # refuse a base whose tokenizer.json splits code differently from its tokenizer.model
    # repeat model.path here to allow Python code in it to run; null: such a base is refused; e.g. org/NAME
    trust_remote_code: str | None = None
    load_4bit: bool = False  # quantise the weights to NF4 with bitsandbytes; works on a CPU too
    device: Device = Device.auto  # where the base computes; auto: CUDA, else MPS, else the CPU; e.g. cpu
    dtype: Dtype = Dtype.auto  # of the weights; auto: bfloat16 where the device has it fast and the base is no toy, else float32
    seed: int = at_least(0, default=0)  # [seed] of the weights with weights=random; e.g. 1
    # [parameters] for a plan without the base's config.json, which wins; e.g. 7e9
    parameters: float | None = field(default=None, compare=False, repr=False, metadata=bounds(0))
    # [tokens] longest input of the base, for a plan without config.json; e.g. 8192
    context: int | None = field(default=None, compare=False, repr=False, metadata=bounds(1))
    # licence of the weights, for run.json; null: from their card; e.g. apache-2.0
    licence: str | None = field(default=None, compare=False, repr=False)
    why: str | None = field(default=None, compare=False, repr=False)  # why this base was chosen, for run.json; e.g. 'fits into 8 GB'

"""The settings of sekft.compare."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class CompareConfig:
    runs: Any = None  # a sweep, a run, a glob, or a list of them; null: the newest of outputs/train
    criteria: list[str] = field(default_factory=lambda: ["verified"])  # what is compared, see sekft/eval/measures.py
    sort: str | None = None  # the table's: a rate, loss, gain, group or a setting that differs; -loss: turned round; null: by criteria[0]
    against: str | None = None  # the group the others are compared with, by its name in the table; null: the first that ran
    margin: float = 0.15  # an interval within this on both sides of zero says that there is no difference worth speaking of
    page: str | None = None  # a page of experiments/ to write result and verdict into, between its markers
    picture: str | None = None  # an SVG file for base and best group, by kind of scenario
    experiment: str | None = None

"""The settings of training data: where it comes from, what of it is read, how it is mixed."""

from dataclasses import dataclass, field
from enum import StrEnum

from omegaconf import MISSING

SourceKind = StrEnum("SourceKind", "shell decisions")
Overlong = StrEnum("Overlong", "reject cut_middle keep_last")


@dataclass
class SourceConfig:
    """One source of training rows. What only some kinds read is marked so."""

    kind: SourceKind = MISSING
    path: str | None = None  # file, folder or Hub dataset id; shell, null: the reference plays the training split first
    share: float = 1.0  # of its samples that are used, above 0 up to 1; by a hash of their ids
    max_samples: int = 0  # no more than these, the first; 0: all
    max_bad: int = 0  # rows that cannot be read, before that is an error; 0: the first one is
    max_line_bytes: int = 16777216  # a longer line is a row that cannot be read
    noise: float = 0.0  # shell, path null: the share of the reference's lives with a detour that is recovered; by chance of split.seed


@dataclass
class DataConfig:
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    validation_share: float = 0.1  # of the bundles, whole bundles only
    overlong: Overlong = (
        Overlong.reject
    )  # what a row over trainer.max_tokens loses: itself, its middle, or what follows its landing (so do decision points)
    max_dropped_share: float = 0.2  # more rows lost than this is an error
    max_endless_share: float = 0.5  # more samples without a learned exit or panic than this is an error; decision points need none

"""One run of a command, as the configuration system knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """What Hydra knows of this run that the settings do not say."""

    folder: Path  # the run directory
    name: str
    group: str  # of the runs of one sweep; the run's own name outside one
    overrides: tuple[str, ...]
    choices: tuple[str, ...]  # group=option, as chosen
    sweep: Path | None = None  # the folder of all its jobs
    checkpoint: Path | None = None  # to go on from
    facts: Mapping[str, Any] = field(default_factory=dict)  # of its record: from what it begins, what it repeats

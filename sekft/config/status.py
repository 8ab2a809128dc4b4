"""The settings of sekft.status and sekft.release."""

from dataclasses import dataclass
from typing import Any


@dataclass
class StatusConfig:
    runs: str = "outputs"  # a folder; every run below it is looked at
    stalled_s: float = 600.0  # a run that lives but got nothing done for so long is stalled
    all: bool = False  # also those that ended; else the last ten of them
    experiment: str | None = None


@dataclass
class ReleaseConfig:
    do: str = "verify"  # verify: does every file still say what it said when its run was closed?
    runs: Any = "outputs"  # a run, a folder of runs, or a list of them
    experiment: str | None = None

"""The settings of sekft.status and sekft.release."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Do = StrEnum("Do", "verify approve promote rollback")
Stage = StrEnum("Stage", "dev stage prod")


@dataclass
class StatusConfig:
    runs: str = "outputs"  # a folder; every run below it is looked at
    stalled_s: float = 600.0  # a run that episodes but got nothing done for so long is stalled
    all: bool = False  # also those that ended; else the last ten of them
    experiment: str | None = None


@dataclass
class ReleaseConfig:
    do: Do = Do.verify
    runs: Any = "outputs"  # verify: a run, a release, a folder of them, or a list
    run: str | None = None  # approve, promote: the run
    by: str = ""  # approve: who says yes; promote, rollback: who did it
    to: Stage = Stage.dev  # promote, rollback
    releases: str = "outputs/releases"  # a folder for each stage
    approvals: int = 0  # different people who must have said yes
    scenarios: int = 64  # of the frozen test set, at least
    experiment: str | None = None

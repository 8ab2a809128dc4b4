"""The copy of a run's record in a tracker: what every tracker offers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Labels:
    """What a tracker shows a run under. name: of the run; group: of its sweep; tags: the chosen options; folder: of the run's record."""

    name: str
    group: str | None
    job_type: str
    tags: Sequence[str]
    folder: Path


class Mirror(Protocol):
    """The copy of one run. No method blocks for long or raises. message: one sentence that says where the tracker has the run."""

    @property
    def message(self) -> str: ...

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Log metrics at a step; steps may come in any order."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Set the numbers that runs are compared by."""

    def episodes(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show rows as a table: columns in order of first appearance."""

    def adapter(self, folder: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Store the folder; returns the record of the artifact, empty if it was not stored."""

    def uses(self, folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
        """Link the run to the adapters it uses; returns artifact and digest of each."""

    def close(self, exit_code: int) -> None:
        """End the run in the tracker."""


@dataclass(frozen=True)
class NoMirror:
    """A mirror that shows nothing."""

    message: str

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        pass

    def summary(self, values: Mapping[str, Any]) -> None:
        pass

    def episodes(self, rows: Sequence[Mapping[str, Any]]) -> None:
        pass

    def adapter(self, folder: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def uses(self, folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
        return {}

    def close(self, exit_code: int) -> None:
        pass

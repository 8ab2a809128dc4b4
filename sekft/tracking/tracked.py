"""A run that is recorded on disk and shown in a tracker."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sekft.config import Tracker, TrackerConfig
from sekft.config.job import Job
from sekft.tracking import names
from sekft.tracking.artifacts import STORED
from sekft.tracking.files import write_json
from sekft.tracking.headline import headline
from sekft.tracking.mirror import Labels, Mirror, NoMirror
from sekft.tracking.record import RunWriter, open_run
from sekft.tracking.signals import terminating


class TrackedRun:
    """Writes the record of a run and its copy in the tracker. message: one line that says where the tracker has the run."""

    def __init__(self, writer: RunWriter, mirror: Mirror) -> None:
        self.folder = writer.folder
        self.message = mirror.message
        self._writer, self._mirror = writer, mirror

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._writer.log(metrics, step)
        self._mirror.log(metrics, step)

    def carry(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Begin the metrics with those of an earlier run that this one continues; the tracker has them already."""
        self._writer.carry(lines)

    def add_facts(self, **facts: Any) -> None:
        """Add fields to run.json."""
        self._writer.add_facts(**facts)

    def write_summary(self, values: Mapping[str, Any]) -> None:
        self._writer.write_summary(values)
        self._mirror.summary(headline(values))

    def episodes(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show the episodes as a table in the tracker."""
        self._mirror.episodes(rows)

    def adapter(self, folder: Path, metadata: Mapping[str, Any]) -> None:
        """Store the adapter in the tracker, if it stores files; a file beside its folder names the artifact."""
        if stored := self._mirror.adapter(folder, metadata):
            write_json(folder.parent / STORED, stored)

    def link_adapters(self, adapters: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
        """Link the run in the tracker to the adapters it uses; returns artifact and digest by name, empty if it stores no files."""
        return self._mirror.uses(adapters)


@contextmanager
def tracked(command: str, settings: Any, job: Job, tracker: TrackerConfig) -> Iterator[TrackedRun]:
    """Open the record before the work and close it with the outcome; SIGTERM ends the block as Ctrl-C does.

    settings: a dataclass with a seed.
    """
    plain = asdict(settings)
    shown_settings = {**plain, **{key: job.facts[key] for key in ("chosen",) if key in job.facts}}  # with the reasons of automatic ones
    with (
        terminating(),
        open_run(job.folder, command, plain, job.overrides, settings.seed, {**job.facts, **_named(tracker)}) as writer,
        open_mirror(tracker, shown_settings, Labels(job.name, job.group, command, job.choices, job.folder)) as shown,
    ):
        yield TrackedRun(writer, shown)


def _named(tracker: TrackerConfig) -> dict[str, Any]:
    facts = names.given(tracker).facts()
    return {"named": facts} if facts else {}


@contextmanager
def open_mirror(tracker: TrackerConfig, settings: Mapping[str, Any], labels: Labels) -> Iterator[Mirror]:
    """Open the copy of a run and close it at the end of the block; an exception in the block marks the run as failed (exit code 1)."""
    shown = _open(tracker, settings, labels)
    try:
        yield shown
    except BaseException:
        shown.close(exit_code=1)
        raise
    shown.close(exit_code=0)


def _open(tracker: TrackerConfig, settings: Mapping[str, Any], labels: Labels) -> Mirror:
    match tracker.kind:
        case Tracker.none:
            return NoMirror("tracker: none")
        case Tracker.tensorboard:
            from sekft.tracking import tensorboard_mirror

            return tensorboard_mirror.start(tracker, settings, labels)
        case _:
            from sekft.tracking import wandb_mirror

            return wandb_mirror.start(tracker, settings, labels)

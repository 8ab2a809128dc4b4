"""One run told twice: the record on disk, and W&B as its mirror."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sekft.config import TrackerConfig
from sekft.config.job import Job
from sekft.tracking.artifacts import STORED
from sekft.tracking.files import write_json
from sekft.tracking.record import Run, open_run
from sekft.tracking.signals import terminating
from sekft.tracking.wandb_mirror import Mirror, mirror


class Tracked:
    def __init__(self, record: Run, shown: Mirror) -> None:
        self.folder = record.folder
        self.line = shown.line
        self._record, self._shown = record, shown

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._record.log(metrics, step)
        self._shown.log(metrics, step)

    def know(self, **facts: Any) -> None:
        self._record.know(**facts)

    def summary(self, values: Mapping[str, Any]) -> None:
        self._record.summary(values)
        self._shown.summary(values)

    def episodes(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._shown.episodes(rows)

    def adapter(self, folder: Path, metadata: Mapping[str, Any]) -> None:
        """Beside the folder it is kept where W&B has it."""
        if stored := self._shown.adapter(folder, metadata):
            write_json(folder.parent / STORED, stored)

    def uses(self, adapters: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
        """By name: the adapter's artifact and digest; empty where nobody is told."""
        return self._shown.uses(adapters)


@contextmanager
def tracked(command: str, settings: Any, job: Job, tracker: TrackerConfig) -> Iterator[Tracked]:
    """Opened before the work, closed with its outcome; SIGTERM ends it as Ctrl-C does. settings: a dataclass with a seed."""
    plain = asdict(settings)
    with terminating(), open_run(job.folder, command, plain, job.overrides, settings.seed, job.facts) as record:
        about: dict[str, Any] = {
            "settings": plain,
            "name": job.name,
            "group": job.group,
            "job_type": command,
            "tags": job.choices,
            "folder": job.folder,
        }
        with mirror(tracker, **about) as shown:
            yield Tracked(record, shown)

"""The job queue of a resident base, kept in a ledger on disk: it outlives the worker and the service."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sekft.errors import JobError
from sekft.tracking import ledger
from sekft.tracking.ledger import Entry, Status

ENDED = (Status.done, Status.failed, Status.cancelled)


class UnknownJob(JobError):
    """The queue has no job of this number."""


@dataclass(frozen=True)
class QueuedJob:
    """A command line to run.

    words: the command first. typed_in: the folder that relative paths start from. output: the file of everything it prints.
    runs: the run folders it has started already; not empty if it was cut off.
    """

    number: int
    words: tuple[str, ...]
    typed_in: Path
    output: Path
    runs: tuple[Path, ...] = ()


class Queue:
    """The jobs of one service, shared by its threads. Jobs that were running when the last service ended are queued again, first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries = ledger.entries(folder)
        self._changed = threading.Condition()
        with self._changed:
            for entry in [entry for entry in self._entries.values() if entry.status is Status.started]:
                self._record(replace(entry, status=Status.queued))

    def submit(self, words: Sequence[str], typed_in: Path, **request: Any) -> Entry:
        """request: further fields that the ledger keeps with the job."""
        with self._changed:
            number = 1 + max(map(int, self._entries), default=0)
            asked = {"words": list(words), "typed_in": str(typed_in), **request}
            return self._record(Entry(str(number), {}, Status.queued, asked=asked))

    def take(self, timeout_s: float) -> QueuedJob | None:
        """The next job, marked as started; None if there is none within the time."""
        with self._changed:
            if not self._changed.wait_for(self._waiting, timeout_s):
                return None
            entry = self._record(replace(self._waiting()[0], status=Status.started))
            asked, runs = entry.asked, tuple(map(Path, entry.runs))
            return QueuedJob(int(entry.job), tuple(asked["words"]), Path(asked["typed_in"]), self.output(entry.job), runs)

    def add_run(self, number: int, run: Path) -> None:
        """Record that a job has started a run."""
        with self._changed:
            entry = self._entries[str(number)]
            self._record(replace(entry, runs=tuple(dict.fromkeys([*entry.runs, str(run)]))))

    def close(self, number: int, status: Status, error: str | None = None, exit_status: int = 0) -> None:
        with self._changed:
            self._record(replace(self._entries[str(number)], status=status, error=error, exit_status=exit_status))

    def withdraw(self, number: str) -> bool:
        """Cancel a job if it waits; returns whether it did. Raises JobError for one that has ended."""
        with self._changed:
            entry = self.entry(number)
            if entry.status in ENDED:
                raise JobError(f"job {number}: {entry.status.value} already; allowed: a job that waits or runs")
            if waits := entry.status is Status.queued:
                self._record(replace(entry, status=Status.cancelled, error="cancelled before it began", exit_status=1))
            return waits

    def entry(self, number: str) -> Entry:
        """Raises UnknownJob."""
        if number not in self._entries:
            raise UnknownJob(f"job {number}: no such job in the queue, which has {len(self._entries)}; see GET /jobs or `list`")
        return self._entries[number]

    def entries(self) -> list[Entry]:
        return list(self._entries.values())

    def output(self, number: str) -> Path:
        return self.folder / f"{number}.log"

    def _waiting(self) -> list[Entry]:
        """The queued jobs by number; one that was cut off has the lowest."""
        return [entry for entry in self._entries.values() if entry.status is Status.queued]

    def _record(self, entry: Entry) -> Entry:
        ledger.append(self.folder, entry)
        self._entries[entry.job] = entry
        self._changed.notify_all()
        return entry

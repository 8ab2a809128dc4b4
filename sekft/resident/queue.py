"""What a resident base was asked to do, in order and on disk: it outlives the worker and the service."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sekft.errors import JobError
from sekft.tracking import ledger
from sekft.tracking.ledger import Entry, Status

ENDED = (Status.done, Status.failed, Status.cancelled)


@dataclass(frozen=True)
class Job:
    """words: a command line, its command first. typed_in: where relative paths begin. runs: what it has begun, if it was cut off."""

    number: int
    words: tuple[str, ...]
    typed_in: Path
    output: Path  # all it prints
    runs: tuple[Path, ...] = ()


class Queue:
    """One service at a time has it; its threads share it. A job that had begun when the last service ended is next, and goes on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries = ledger.entries(folder)
        self._changed = threading.Condition()
        with self._changed:
            for entry in [one for one in self._entries.values() if one.status is Status.started]:
                self._tell(replace(entry, status=Status.queued))

    def submit(self, words: Sequence[str], typed_in: Path, **about: Any) -> Entry:
        """about: more to be remembered of what was asked."""
        with self._changed:
            number = 1 + max(map(int, self._entries), default=0)
            asked = {"words": list(words), "typed_in": str(typed_in), **about}
            return self._tell(Entry(str(number), {}, Status.queued, asked=asked))

    def take(self, timeout_s: float) -> Job | None:
        """The next job, which has now begun."""
        with self._changed:
            if not self._changed.wait_for(self._waiting, timeout_s):
                return None
            entry = self._tell(replace(self._waiting()[0], status=Status.started))
            asked, runs = entry.asked, tuple(map(Path, entry.runs))
            return Job(int(entry.job), tuple(asked["words"]), Path(asked["typed_in"]), self.output(entry.job), runs)

    def begun(self, number: int, run: Path) -> None:
        with self._changed:
            entry = self._entries[str(number)]
            self._tell(replace(entry, runs=tuple(dict.fromkeys([*entry.runs, str(run)]))))

    def close(self, number: int, status: Status, error: str | None = None, exit_status: int = 0) -> None:
        with self._changed:
            self._tell(replace(self._entries[str(number)], status=status, error=error, exit_status=exit_status))

    def withdraw(self, number: str) -> bool:
        """Whether the job was still waiting, and is cancelled now. Raises JobError for one that has ended."""
        with self._changed:
            entry = self.entry(number)
            if entry.status in ENDED:
                raise JobError(f"job {number}: {entry.status.value} already; only what waits or runs can be cancelled")
            if waits := entry.status is Status.queued:
                self._tell(replace(entry, status=Status.cancelled, error="cancelled before it began", exit_status=1))
            return waits

    def entry(self, number: str) -> Entry:
        """Raises JobError for a job that is not there."""
        if number not in self._entries:
            raise JobError(f"job {number}: none such; there are {len(self._entries)}")
        return self._entries[number]

    def entries(self) -> list[Entry]:
        return list(self._entries.values())

    def output(self, number: str) -> Path:
        return self.folder / f"{number}.log"

    def _waiting(self) -> list[Entry]:
        """What had begun before comes first, as its number is the lowest."""
        return [entry for entry in self._entries.values() if entry.status is Status.queued]

    def _tell(self, entry: Entry) -> Entry:
        ledger.tell(self.folder, entry)
        self._entries[entry.job] = entry
        self._changed.notify_all()
        return entry

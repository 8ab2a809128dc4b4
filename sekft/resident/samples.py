"""Decision points that were posted: kept on disk, and each is learned from at most once."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekft.data import decision
from sekft.data.decision import Decision
from sekft.errors import JobError
from sekft.resident.queue import Queue
from sekft.tracking.ledger import Entry, Status

POSTED = "decisions.jsonl"


class Samples:
    """Beside a queue, whose ledger says which job took which."""

    def __init__(self, queue: Queue) -> None:
        self._queue, self._file, self._lock = queue, queue.folder / POSTED, threading.Lock()
        self._posted = {one.id: one for one in decision.load(self._file)} if self._file.exists() else {}

    def post(self, point: Decision) -> dict[str, Any]:
        """The same one twice is one. Raises JobError for another of the same id."""
        with self._lock:
            if self._posted.get(point.id, point) != point:
                raise JobError(f"sample {point.id}: another one of this id was posted; allowed: an id of its own")
            if point.id not in self._posted:
                decision.append(point, self._file)
                self._posted[point.id] = point
        return self.told()[point.id]

    def told(self) -> dict[str, dict[str, Any]]:
        """Of each: the job that took it, None while it waits."""
        takers = {name: entry.job for entry in self._queue.entries() if not _gave_back(entry) for name in entry.asked.get("samples", ())}
        return {name: {"id": name, "job": takers.get(name), "reason": point.reason} for name, point in self._posted.items()}

    def submit(self, words: list[str], typed_in: Path) -> Entry:
        """A training on all that wait. words: `train` and what else is asked of it. Raises JobError if none waits."""
        with self._lock:
            waiting = [name for name, told in self.told().items() if told["job"] is None]
            if words[0] != "train" or not waiting:
                raise JobError(f"samples: {len(waiting)} wait, command {words[0]}; allowed: one at least, train")
            file = self._queue.folder / f"decisions-{len(self._queue.entries()) + 1}.jsonl"
            decision.write([self._posted[name] for name in waiting], file)
            about = ["data=[decisions]", f"data.sources.decisions.path='{file}'", "data.validation_share=0", "mask=continuation"]
            return self._queue.submit([words[0], *about, *words[1:]], typed_in, samples=waiting)


def _gave_back(entry: Entry) -> bool:
    """It ended without anything that has learned from them."""
    ended = entry.status in (Status.failed, Status.cancelled)
    return ended and not any((Path(run) / "adapter").exists() for run in entry.runs)


def read(body: bytes) -> Decision:
    """Raises JobError."""
    try:
        line: Mapping[str, Any] = json.loads(body)
        return Decision.model_validate(line)
    except ValueError as error:
        said = error.errors(include_url=False)[0]["msg"] if hasattr(error, "errors") else str(error)
        raise JobError(f"sample: {said}; allowed: id, context or messages and decision, continuation, reason, memories") from None

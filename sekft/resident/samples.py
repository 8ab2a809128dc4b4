"""Decision points posted to a resident base: kept on disk, and each is used by at most one training."""

import threading
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sekft.data import decision
from sekft.data.decision import Decision
from sekft.errors import JobError, validation_line
from sekft.resident.queue import Queue
from sekft.tracking.ledger import Entry, Status

POSTED = "decisions.jsonl"


class Samples:
    """The posted decision points of a queue; its ledger records which job uses which of them."""

    def __init__(self, queue: Queue) -> None:
        self._queue, self._file, self._lock = queue, queue.folder / POSTED, threading.Lock()
        self._posted = {point.id: point for point in decision.load(self._file)} if self._file.exists() else {}

    def post(self, point: Decision) -> dict[str, Any]:
        """Add a decision point and return its status. Adding the same one again changes nothing.

        Raises JobError if another one with this id was posted.
        """
        with self._lock:
            if self._posted.get(point.id, point) != point:
                raise JobError(f"sample {point.id}: a different one with this id was posted before; allowed: a new id")
            if point.id not in self._posted:
                decision.append(point, self._file)
                self._posted[point.id] = point
        return self.statuses()[point.id]

    def statuses(self) -> dict[str, dict[str, Any]]:
        """{"id", "job", "reason"} by id; job: the number of the job that uses the decision point, None while it waits."""
        users = {name: entry.job for entry in self._queue.entries() if not _released(entry) for name in entry.asked.get("samples", ())}
        return {name: {"id": name, "job": users.get(name), "reason": point.reason} for name, point in self._posted.items()}

    def submit(self, words: list[str], typed_in: Path) -> Entry:
        """Queue a training on all decision points that wait. words: `train` and its overrides. Raises JobError if none waits."""
        with self._lock:
            waiting = [name for name, status in self.statuses().items() if status["job"] is None]
            if words[0] != "train" or not waiting:
                raise JobError(f"samples: {len(waiting)} wait, command {words[0]}; allowed: at least one that waits, and the command train")
            file = self._queue.folder / f"decisions-{len(self._queue.entries()) + 1}.jsonl"
            decision.write([self._posted[name] for name in waiting], file)
            source = ["data=[decisions]", f"data.sources.decisions.path='{file}'", "data.validation_share=0", "mask=continuation"]
            return self._queue.submit([words[0], *source, *words[1:]], typed_in, samples=waiting)


def _released(entry: Entry) -> bool:
    """Whether a job ended without an adapter, so that its decision points wait again."""
    ended = entry.status in (Status.failed, Status.cancelled)
    return ended and not any((Path(run) / "adapter").exists() for run in entry.runs)


def read(body: bytes) -> Decision:
    """The decision point in the body of a request. Raises JobError."""
    try:
        return Decision.model_validate_json(body)
    except ValidationError as error:
        fields = "id, context or messages and decision, continuation, reason, memories"
        raise JobError(f"sample: {validation_line(error)}; the fields of a decision point are {fields}") from None

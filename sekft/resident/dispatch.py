"""The thread that hands the queue's jobs to the worker, one after another, and gets a new worker when one is gone."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path

from sekft.errors import JobError
from sekft.resident.queue import Job, Queue
from sekft.resident.worker import TERMINATED, Begin, Begun, Ended, Worker
from sekft.tracking.ledger import Status

LOOK_S = 0.5  # between looks at whether to stop
INTERRUPTED = 128 + signal.SIGINT
GONE = 1  # the exit status of a job whose worker is gone


class Dispatch:
    def __init__(self, queue: Queue, begin: Begin, say: Callable[[str], None]) -> None:
        """Returns when the base is loaded; say: one line per job and worker. Raises JobError."""
        self._queue, self._begin, self._say = queue, begin, say
        self._worker: Worker | None = self._hired()
        self._running: int | None = None
        self._unwanted: int | None = None  # cancelled while it waited for a new worker
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go, name="sekft-dispatch", daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def status(self) -> dict[str, object]:
        worker, waiting = self._worker, [entry.job for entry in self._queue.entries() if entry.status is Status.queued]
        held = {"base": worker.base, "worker_pid": worker.pid} if worker else {"base": None, "worker_pid": None}
        return held | {"running": self._running and str(self._running), "queued": waiting, "jobs": len(self._queue.entries())}

    def cancel(self, number: str) -> None:
        """What runs stops as at Ctrl-C, and its record says so. Raises JobError."""
        if self._queue.withdraw(number) or self._running != int(number):
            return
        self._unwanted = int(number)
        if self._worker:
            self._worker.interrupt()

    def stop(self) -> None:
        """What runs is cut off and goes on when the queue is taken up again."""
        self._stopping.set()
        if self._worker:
            self._worker.stop()
        self._thread.join()

    def _go(self) -> None:
        while not self.stopping:
            if job := self._queue.take(LOOK_S):
                self._running = job.number
                self._say(f"job {job.number}: {' '.join(job.words)}")
                try:
                    self._do(job)
                finally:
                    self._running = None

    def _do(self, job: Job) -> None:
        try:
            self._worker = worker = self._worker or self._hired()
            if self.stopping:
                worker.stop()
                return
            if self._unwanted == job.number:
                self._queue.close(job.number, Status.cancelled, "cancelled before it began", INTERRUPTED)
                return
            for said in worker.do(job):
                if isinstance(said, Begun):
                    self._queue.begun(job.number, said.run)
                    continue
                if said.exit_status == TERMINATED:
                    self._worker = None
                if not self.stopping:
                    self._close(job, said)
        except JobError as error:
            self._worker = None
            if not self.stopping:
                self._queue.close(job.number, Status.failed, str(error), GONE)
                self._say(f"job {job.number}: failed: {error}")

    def _close(self, job: Job, said: Ended) -> None:
        status = Status.done if said.exit_status == 0 else Status.cancelled if said.exit_status == INTERRUPTED else Status.failed
        why = None if status is Status.done else last_line(job.output)
        self._queue.close(job.number, status, why, said.exit_status)
        self._say(f"job {job.number}: {status.value}{f': {why}' if why else ''}")

    def _hired(self) -> Worker:
        worker = Worker(self._begin)
        self._say(f"worker {worker.pid}: {worker.base}")
        return worker


def last_line(output: Path) -> str | None:
    lines = output.read_text(encoding="utf-8", errors="replace").split("\n") if output.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), None)

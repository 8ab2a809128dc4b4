"""The dispatcher: a thread that gives the jobs of the queue to the worker, one after another, and replaces a worker that is gone."""

import signal
import threading
from pathlib import Path

from sekft.config.job import Report
from sekft.errors import JobError
from sekft.resident.queue import Queue, QueuedJob
from sekft.resident.worker import TERMINATED, JobEnded, RunStarted, Setup, Worker
from sekft.tracking.ledger import Status

POLL_S = 0.5  # how often the thread looks whether to stop
INTERRUPTED = 128 + signal.SIGINT
WORKER_GONE = 1  # exit status of a job whose worker is gone


class Dispatcher:
    def __init__(self, queue: Queue, setup: Setup, report: Report) -> None:
        """Start a worker and the thread; returns when the base is loaded. report: gets one line per job and worker. Raises JobError."""
        self._queue, self._setup, self._report = queue, setup, report
        self._worker: Worker | None = self._start_worker()
        self._running: int | None = None
        self._cancelled: int | None = None  # the running job, cancelled while it waited for a new worker
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="sekft-dispatch", daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def status(self) -> dict[str, object]:
        worker, waiting = self._worker, [entry.job for entry in self._queue.entries() if entry.status is Status.queued]
        base = {"base": worker.base, "worker_pid": worker.pid} if worker else {"base": None, "worker_pid": None}
        return base | {"running": self._running and str(self._running), "queued": waiting, "jobs": len(self._queue.entries())}

    def cancel(self, number: str) -> None:
        """Remove a waiting job; stop a running one as Ctrl-C does, which its run records. Raises JobError."""
        if self._queue.withdraw(number) or self._running != int(number):
            return
        self._cancelled = int(number)
        if self._worker:
            self._worker.interrupt()

    def stop(self) -> None:
        """Stop the worker. The running job stays in the queue and continues when a service uses the queue again."""
        self._stopping.set()
        if self._worker:
            self._worker.stop()
        self._thread.join()

    def _loop(self) -> None:
        while not self.stopping:
            if job := self._queue.take(POLL_S):
                self._running = job.number
                self._report(f"job {job.number}: {' '.join(job.words)}")
                try:
                    self._run(job)
                finally:
                    self._running = None

    def _run(self, job: QueuedJob) -> None:
        try:
            self._worker = worker = self._worker or self._start_worker()
            if self.stopping:
                worker.stop()
                return
            if self._cancelled == job.number:
                self._queue.close(job.number, Status.cancelled, "cancelled before it began", INTERRUPTED)
                return
            for event in worker.run(job):
                if isinstance(event, RunStarted):
                    self._queue.add_run(job.number, event.run)
                    continue
                if event.exit_status == TERMINATED:
                    self._worker = None
                if not self.stopping:
                    self._close(job, event)
        except JobError as error:
            self._worker = None
            if not self.stopping:
                self._queue.close(job.number, Status.failed, str(error), WORKER_GONE)
                self._report(f"job {job.number}: failed: {error}")

    def _close(self, job: QueuedJob, end: JobEnded) -> None:
        status = Status.done if end.exit_status == 0 else Status.cancelled if end.exit_status == INTERRUPTED else Status.failed
        reason = None if status is Status.done else last_line(job.output)
        self._queue.close(job.number, status, reason, end.exit_status)
        self._report(f"job {job.number}: {status.value}{f': {reason}' if reason else ''}")

    def _start_worker(self) -> Worker:
        worker = Worker(self._setup)
        self._report(f"worker {worker.pid}: {worker.base}")
        return worker


def last_line(output: Path) -> str | None:
    """The last line of a job's output that is not blank: the reason why it failed."""
    lines = output.read_text(encoding="utf-8", errors="replace").split("\n") if output.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), None)

"""The worker of a resident base: a process that holds the base and runs one job after another; it ends with the service."""

import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sekft.errors import JobError, SekftError
from sekft.resident.queue import QueuedJob

START_S = 600  # time to load a base
STOP_S = 60  # time to remove its containers and close its records
TERMINATED = 128 + signal.SIGTERM  # exit status of a job that SIGTERM ended; the worker ends with it


@dataclass(frozen=True)
class WorkerReady:
    base: str  # the base in memory, as one line


@dataclass(frozen=True)
class RunStarted:
    run: Path


@dataclass(frozen=True)
class JobEnded:
    exit_status: int
    base: str


RunJob = Callable[[QueuedJob], int]  # returns the exit status
DescribeBase = Callable[[], str]
Setup = Callable[[Callable[[Path], None]], tuple[RunJob, DescribeBase]]  # loads the base; its argument is called with every run started


class Worker:
    """The worker process, as the service controls it."""

    def __init__(self, setup: Setup) -> None:
        """Start the process and wait until the base is loaded. setup: importable, because it runs in the process. Raises JobError."""
        spawn = multiprocessing.get_context("spawn")
        self._connection, theirs = spawn.Pipe()
        self._process: BaseProcess = spawn.Process(target=_serve, args=(theirs, setup), name="sekft-worker")
        self._process.start()
        theirs.close()
        try:
            message = self._connection.recv() if self._connection.poll(START_S) else f"no base within {START_S} s"
        except (EOFError, OSError):
            message = self.why_gone()
        if not isinstance(message, WorkerReady):
            self.stop()
            raise JobError(f"the worker did not start: {message}")
        self.base = message.base

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def run(self, job: QueuedJob) -> Iterator[RunStarted | JobEnded]:
        """Run a job; yields its events, JobEnded last. Raises JobError if the process ends before the job."""
        try:
            self._connection.send(job)
            while True:
                event = self._connection.recv()
                yield event
                if isinstance(event, JobEnded):
                    self.base = event.base
                    return
        except (EOFError, OSError):
            raise JobError(self.why_gone()) from None

    def interrupt(self) -> None:
        """Stop the running job as Ctrl-C does at a prompt."""
        if self._process.pid and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGINT)

    def stop(self) -> None:
        """End the process. A running job closes its records, so that it can continue later."""
        self._process.terminate()  # closing the pipe would not end it: a thread of the process that reads it keeps it open
        self._process.join(STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def why_gone(self) -> str:
        self._process.join(STOP_S)
        code = self._process.exitcode or 0
        return f"the worker was killed by {signal.Signals(-code).name}" if code < 0 else f"the worker ended with status {code}"


def _serve(service: Connection, setup: Setup) -> None:
    """The main function of the process."""
    os.setsid()  # a Ctrl-C at the service's terminal is for the service only
    jobs: queue.Queue[QueuedJob] = queue.Queue()
    busy = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: _interrupt(busy))
    try:
        run_job, describe_base = setup(lambda run: service.send(RunStarted(run)))
        service.send(WorkerReady(describe_base()))
    except SekftError as error:
        service.send(str(error))
        return
    threading.Thread(target=_receive, args=(service, jobs), daemon=True).start()
    exit_status = 0
    while exit_status != TERMINATED:
        exit_status = _run(jobs.get(), run_job, busy)
        try:
            service.send(JobEnded(exit_status, describe_base()))
        except OSError:  # the service is gone
            return


def _run(job: QueuedJob, run_job: RunJob, busy: threading.Event) -> int:
    with _printing_to(job.output):
        busy.set()
        try:
            return run_job(job)
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        except Exception as error:  # a bug: commands print their own refusals; the base is intact, so the worker continues
            print(f"sekft: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
        finally:
            busy.clear()


def _receive(service: Connection, jobs: "queue.Queue[QueuedJob]") -> None:
    """Queue every job that the service sends; end the process when the service is gone."""
    try:
        while True:
            jobs.put(service.recv())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(busy: threading.Event) -> None:
    """SIGINT cancels a job, and does nothing between jobs."""
    if busy.is_set():
        raise KeyboardInterrupt


@contextmanager
def _printing_to(output: Path) -> Iterator[None]:
    """Append everything that this process and its children print to a file; done on the descriptors, which children inherit."""
    saved: list[Any] = [os.dup(1), os.dup(2)]
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, before in zip((1, 2), saved, strict=True):
            os.dup2(before, descriptor)
            os.close(before)

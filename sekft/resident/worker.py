"""The one process that holds the base: it is handed a job, does it, says how it went. When the service goes, it goes."""

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
from sekft.resident.queue import Job

START_S = 600  # to load a base in
TERMINATED = 128 + signal.SIGTERM  # the exit status of a job that was asked to end; the worker ends with it
STOP_S = 60  # to end its containers and close its records in


@dataclass(frozen=True)
class Ready:
    base: str  # what it holds now, as a line


@dataclass(frozen=True)
class Begun:
    run: Path


@dataclass(frozen=True)
class Ended:
    exit_status: int
    base: str


Work = Callable[[Job], int]  # a job's exit status
Begin = Callable[[Callable[[Path], None]], tuple[Work, Callable[[], str]]]  # told of every run begun -> the work, what is held


class Worker:
    """Of the service's side."""

    def __init__(self, begin: Begin) -> None:
        """Returns when the base is loaded. begin: importable, it runs over there. Raises JobError."""
        spawn = multiprocessing.get_context("spawn")
        self._ours, theirs = spawn.Pipe()
        self._process: BaseProcess = spawn.Process(target=_serve, args=(theirs, begin), name="sekft-worker")
        self._process.start()
        theirs.close()
        try:
            said = self._ours.recv() if self._ours.poll(START_S) else f"no base within {START_S} s"
        except (EOFError, OSError):
            said = self.why_gone()
        if not isinstance(said, Ready):
            self.stop()
            raise JobError(f"the worker did not start: {said}")
        self.base = said.base

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def do(self, job: Job) -> Iterator[Begun | Ended]:
        """What it says of the job, Ended last. Raises JobError if it is gone."""
        try:
            self._ours.send(job)
            while True:
                said = self._ours.recv()
                yield said
                if isinstance(said, Ended):
                    self.base = said.base
                    return
        except (EOFError, OSError):
            raise JobError(self.why_gone()) from None

    def interrupt(self) -> None:
        """As Ctrl-C does at a prompt."""
        if self._process.pid and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGINT)

    def stop(self) -> None:
        """What runs is cut off in good order: it goes on another time."""
        self._process.terminate()  # closing the pipe would not do: a thread that reads it keeps it open
        self._process.join(STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def why_gone(self) -> str:
        self._process.join(STOP_S)
        code = self._process.exitcode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return f"the worker was {how}" if code < 0 else f"the worker {how}"


def _serve(service: Connection, begin: Begin) -> None:
    os.setsid()  # a Ctrl-C at the service's terminal is the service's
    orders: queue.Queue[Job] = queue.Queue()
    at_work = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: _interrupt(at_work))
    try:
        work, held = begin(lambda run: service.send(Begun(run)))
        service.send(Ready(held()))
    except SekftError as error:
        service.send(str(error))
        return
    threading.Thread(target=_listen, args=(service, orders), daemon=True).start()
    ended = Ended(0, "")
    while ended.exit_status != TERMINATED:
        ended = Ended(_do(orders.get(), work, at_work), held())
        if not _sent(service, ended):
            return


def _sent(service: Connection, said: Ended) -> bool:
    """Whether anybody is there to be told."""
    try:
        service.send(said)
    except OSError:
        return False
    return True


def _do(job: Job, work: Work, at_work: threading.Event) -> int:
    with _printing_to(job.output):
        at_work.set()
        try:
            return work(job)
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        except Exception as error:  # a command's refusals are lines of its own; this is a bug, and the base is still there
            print(f"sekft: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
        finally:
            at_work.clear()


def _listen(service: Connection, orders: "queue.Queue[Job]") -> None:
    try:
        while True:
            orders.put(service.recv())
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(at_work: threading.Event) -> None:
    if at_work.is_set():
        raise KeyboardInterrupt


@contextmanager
def _printing_to(output: Path) -> Iterator[None]:
    """Everything this process and its children print."""
    kept: list[Any] = [os.dup(1), os.dup(2)]
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)

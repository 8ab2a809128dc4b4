"""The heartbeat of a run: heartbeat.json, replaced every few seconds with its stage and progress.

`time` changes as long as the process is alive, `progressed` only when some work was done: together they tell alive, stalled and dead apart.
"""

import os
import platform
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sekft.tracking.files import now, write_json

HEARTBEAT = "heartbeat.json"
INTERVAL_S = 5.0


class Heartbeat:
    """Writes the file from a thread. stages: of the command, in their order."""

    def __init__(self, file: Path, stages: Sequence[str]) -> None:
        self._file, self._stages = file, tuple(stages)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._state: dict[str, Any] = {"pid": os.getpid(), "host": platform.node()}
        self.begin_stage(self._stages[0] if self._stages else "run")
        self._thread = threading.Thread(target=self._repeat, name="heartbeat", daemon=True)
        self._thread.start()

    def begin_stage(self, name: str) -> None:
        """Begin a stage; its amount of work is unknown until the first progress."""
        later = self._stages[self._stages.index(name) + 1 :] if name in self._stages else ()
        with self._lock:
            self._state |= {"stage": name, "stages": self._stages, "next": later[0] if later else None, "began": now()}
            self._state |= {"done": 0, "of": None, "from": 0, "what": None, "progressed": now()}
        self._write()

    def progress(self, done: int, total: int, unit: str) -> None:
        """unit: steps or episodes."""
        state = {"done": done, "of": total, "what": unit}
        with self._lock:
            if self._state["of"] is None:  # work of an earlier process, which this run continues
                self._state |= {"from": max(0, done - 1)}
            if state.items() - self._state.items():
                self._state |= state | {"progressed": now()}

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._write()

    def _repeat(self) -> None:
        while not self._ended.wait(INTERVAL_S):
            self._write()

    def _write(self) -> None:
        with self._lock, suppress(OSError):  # the run itself reports a full disk
            write_json(self._file, self._state | {"time": now()})


_running: list[Heartbeat] = []  # of this process, the innermost run last


@contextmanager
def heartbeat(folder: Path, stages: Sequence[str]) -> Iterator[None]:
    """Write the heartbeat of a run in this folder during the block."""
    running = Heartbeat(folder / HEARTBEAT, stages)
    _running.append(running)
    try:
        yield
    finally:
        _running.remove(running)
        running.stop()


def stage(name: str) -> None:
    """Begin a stage of the innermost run of this process, if there is one."""
    if _running:
        _running[-1].begin_stage(name)


def progress(done: int, total: int, unit: str) -> None:
    """Report progress of the innermost run of this process, if there is one."""
    if _running:
        _running[-1].progress(done, total, unit)

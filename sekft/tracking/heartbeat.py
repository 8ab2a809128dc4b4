"""Where a run is, for whoever looks from outside: heartbeat.json, replaced every few seconds, whatever the run is doing.

Two times tell three conditions apart: `time` grows as long as the process episodes, `progressed` only when something was done.
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
BEAT_S = 5.0


class Heart:
    """stages: of the command, in their order."""

    def __init__(self, file: Path, stages: Sequence[str]) -> None:
        self._file, self._stages = file, tuple(stages)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._told: dict[str, Any] = {"pid": os.getpid(), "host": platform.node()}
        self.stage(self._stages[0] if self._stages else "run")
        self._thread = threading.Thread(target=self._go, name="heartbeat", daemon=True)
        self._thread.start()

    def stage(self, name: str) -> None:
        """A new stage begins; how much there is to do in it, the first progress says."""
        later = self._stages[self._stages.index(name) + 1 :] if name in self._stages else ()
        with self._lock:
            self._told |= {"stage": name, "stages": self._stages, "next": later[0] if later else None, "began": now()}
            self._told |= {"done": 0, "of": None, "from": 0, "what": None, "progressed": now()}
        self._beat()

    def progress(self, done: int, of: int, what: str) -> None:
        """what: steps or episodes."""
        told = {"done": done, "of": of, "what": what}
        with self._lock:
            if self._told["of"] is None:  # what was done before this run, from which it goes on
                self._told |= {"from": max(0, done - 1)}
            if told.items() - self._told.items():
                self._told |= told | {"progressed": now()}

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._beat()

    def _go(self) -> None:
        while not self._ended.wait(BEAT_S):
            self._beat()

    def _beat(self) -> None:
        with self._lock, suppress(OSError):  # of a full disk the run itself will speak
            write_json(self._file, self._told | {"time": now()})


_beating: list[Heart] = []  # of this process, the innermost run last


@contextmanager
def beating(folder: Path, stages: Sequence[str]) -> Iterator[None]:
    heart = Heart(folder / HEARTBEAT, stages)
    _beating.append(heart)
    try:
        yield
    finally:
        _beating.remove(heart)
        heart.stop()


def stage(name: str) -> None:
    """The run that is under way, if one is, begins this stage."""
    if _beating:
        _beating[-1].stage(name)


def progress(done: int, of: int, what: str) -> None:
    if _beating:
        _beating[-1].progress(done, of, what)

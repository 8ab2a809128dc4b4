"""A few containers made ahead, so that an episode need not wait for the engine: bounded, each handed out once, removed at exit."""

import atexit
import contextlib
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from sekft.errors import SandboxError
from sekft.sandbox.backend.container import Container, Maker

SPARE_S = 60  # what waited longer is made anew: a container ends itself session_s after this


class WarmPool:
    """At most `size` containers wait. The first episode asks for them, and each that takes one for the next.

    Our end takes them along however it comes: each of them exists by a connection of ours.
    """

    def __init__(self, maker: Maker, size: int) -> None:
        self._maker, self._size = maker, size
        self._waiting: deque[Container] = deque()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    def take(self) -> Container | None:
        """One that is alive, if one waits. Never blocks for the engine but to remove what is too old."""
        if not self._size or self._closed:
            return None
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="warm")
                atexit.register(self.close)  # comes after the end of the pool's thread
        taken = None
        while taken is None and (container := self._next()):
            if container.alive() and time.monotonic() - container.since_s < SPARE_S:
                taken = container
            else:
                container.remove(self._maker.engine.client())
        with contextlib.suppress(RuntimeError):  # the interpreter is on its way out
            self._pool.submit(self._fill)
        return taken

    def close(self) -> None:
        """Remove those that wait; no more are made."""
        self._closed = True
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
        with contextlib.suppress(SandboxError):
            while container := self._next():
                container.remove(self._maker.engine.client())

    def _next(self) -> Container | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _fill(self) -> None:
        """In the pool's only thread. An engine in trouble is told to the episode that needs it."""
        with contextlib.suppress(SandboxError):
            while not self._closed and len(self._waiting) < self._size:
                self._waiting.append(self._maker.make(SPARE_S))

"""A pool of containers made ahead, so that a session need not wait for the engine."""

import atexit
import contextlib
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from sekft.errors import SandboxError
from sekft.sandbox.backend.container import Container, Maker

SPARE_S = 60  # longest wait in the pool: a container ends itself after this and session_s


class WarmPool:
    """At most `size` waiting containers, each used for one session and removed at exit. The first take() starts to fill the pool.

    They end with this process however it ends, because each exists only as long as its connection.
    """

    def __init__(self, maker: Maker, size: int) -> None:
        self._maker, self._size = maker, size
        self._waiting: deque[Container] = deque()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    def take(self) -> Container | None:
        """A waiting container that is alive, or None. Blocks only to remove containers that waited too long."""
        if not self._size or self._closed:
            return None
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="warm")
                atexit.register(self.close)  # runs after the pool's thread has ended
        taken = None
        while taken is None and (container := self._next()):
            if container.alive() and time.monotonic() - container.since_s < SPARE_S:
                taken = container
            else:
                container.remove(self._maker.engine.client())
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
            self._pool.submit(self._fill)
        return taken

    def close(self) -> None:
        """Remove the waiting containers and make no more."""
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
        """Runs in the pool's only thread. Errors are left to the session that will need the engine."""
        with contextlib.suppress(SandboxError):
            while not self._closed and len(self._waiting) < self._size:
                self._waiting.append(self._maker.make(SPARE_S))

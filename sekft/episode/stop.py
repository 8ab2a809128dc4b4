"""The end of a set of episodes before they are over: Ctrl-C, a signal, an error, a time limit."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sekft.errors import Stopped
from sekft.sandbox.session import Session


class Stop:
    """Set once, by any thread. The sandboxes that are open end at once; their episodes raise Stopped instead of ending broken."""

    def __init__(self) -> None:
        self._event, self._lock = threading.Event(), threading.Lock()
        self._sessions: list[Session] = []

    def set(self) -> None:
        self._event.set()
        with self._lock:
            for session in self._sessions:
                session.kill()

    def wait(self, seconds: float) -> bool:
        """Whether it was set within so many seconds."""
        return self._event.wait(seconds)

    def require_not_set(self) -> None:
        """Raises Stopped once it is set."""
        if self._event.is_set():
            raise Stopped

    @contextmanager
    def ending(self, session: Session) -> Iterator[None]:
        """Let set() end this session's sandbox while the block runs. Raises Stopped if it was set before or meanwhile."""
        with self._lock:
            self._sessions.append(session)
        try:
            self.require_not_set()
            yield
            self.require_not_set()
        finally:
            with self._lock:
                self._sessions.remove(session)

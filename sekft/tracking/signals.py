"""SIGTERM as an exception, so that a run that is stopped still leaves its context managers."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminating() -> Iterator[None]:
    """Turn SIGTERM into SystemExit(143), so that containers are removed, records are closed and W&B writes its last block.

    Only the first signal raises: a second must not interrupt the cleanup. Outside the main thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received = False

    def leave(number: int, frame: FrameType | None) -> None:
        # not SIG_IGN after the first signal: programs started during the cleanup would inherit it
        nonlocal received
        if not received:
            received = True
            raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)

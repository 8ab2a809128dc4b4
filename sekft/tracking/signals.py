"""A polite request to stop ends a run the way an error does: through its context managers."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminating() -> Iterator[None]:
    """Turn SIGTERM into SystemExit(143), so that containers go, records close and W&B writes its last block.

    Only the first one counts: a second must not interrupt the tidying up. Outside the main thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = False

    def leave(number: int, frame: FrameType | None) -> None:
        # a handler, not SIG_IGN: programs started while tidying up would inherit SIG_IGN
        nonlocal heard
        if not heard:
            heard = True
            raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)

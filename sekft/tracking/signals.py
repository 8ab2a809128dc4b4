"""SIGTERM and SIGHUP as exceptions, so that a run that is stopped still leaves its context managers; signals that wait for a safe place."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_active_in = 0  # the process whose signals are raised; a process forked inside the block has not entered it


@contextmanager
def terminating() -> Iterator[None]:
    """Turn SIGTERM into SystemExit(143), so that containers are removed, records are closed and W&B writes its last block.

    SIGHUP, from a terminal that is closed, into SystemExit(129), unless it is ignored, as under nohup. Only the first signal raises: a
    second must not interrupt the cleanup. Outside the main thread, and inside another such block, this does nothing.
    """
    global _active_in
    if threading.current_thread() is not threading.main_thread() or _active_in == os.getpid():
        yield
        return
    received = False

    def leave(number: int, frame: FrameType | None) -> None:
        # not SIG_IGN after the first signal: programs started during the cleanup would inherit it
        nonlocal received
        if not received:
            received = True
            raise SystemExit(128 + number)

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else [])]
    before = {number: signal.signal(number, leave) for number in numbers}
    _active_in = os.getpid()
    try:
        yield
    finally:
        _active_in = 0
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def deferred(wake: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Inside the block SIGINT, SIGTERM and SIGHUP only call wake; the function that is yielded runs their handlers, which may raise.

    A handler that raises between any two instructions can leave a lock held for which other threads then wait for ever: a thread that
    starts and concurrent.futures.wait hold several for a moment. wake must be reentrant, as SimpleQueue.put is. A signal that is still
    pending at the end of the block is handled there. Outside the main thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    pending: list[tuple[int, FrameType | None]] = []

    def note(number: int, frame: FrameType | None) -> None:
        pending.append((number, frame))
        wake()

    def handle() -> None:
        while pending:
            number, frame = pending.pop(0)
            before[number](number, frame)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {int(number): handler for number in numbers if callable(handler := signal.getsignal(number))}
    try:
        for number in before:
            signal.signal(number, note)
        yield handle
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        handle()

"""Reads and writes of file descriptors that never block longer than a given time."""

import os
import select
import time


def write_all(fd: int, data: bytes, timeout_s: float) -> None:
    """Write all data. fd: non-blocking. Raises TimeoutError if the other end does not read, BrokenPipeError if it is gone."""
    end, view = time.monotonic() + timeout_s, memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"nothing was read for {timeout_s:.0f} s") from None
            wait(fd, select.POLLOUT, left)


def read_some(fd: int, wait_s: float) -> bytes | None:
    """The data that comes within wait_s, possibly empty; None at the end. fd: non-blocking."""
    if not wait(fd, select.POLLIN, wait_s):
        return b""
    try:
        return os.read(fd, 1 << 18) or None
    except BlockingIOError:
        return b""


def wait(fd: int, event: int, wait_s: float) -> bool:
    """Whether the event comes within wait_s. poll, not select, which fails for descriptors above 1023."""
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(max(0.0, wait_s) * 1000))

"""File descriptors with deadlines: whole writes and bounded reads that never block for longer than they were told."""

import os
import select
import time


def write_all(fd: int, data: bytes, timeout_s: float) -> None:
    """Raises TimeoutError when the far end does not read, BrokenPipeError when it is gone. fd: non-blocking."""
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
    """What is there within wait_s, possibly nothing; None at the end. fd: non-blocking."""
    if not wait(fd, select.POLLIN, wait_s):
        return b""
    try:
        return os.read(fd, 1 << 18) or None
    except BlockingIOError:
        return b""


def wait(fd: int, event: int, wait_s: float) -> bool:
    """poll, not select: descriptors above 1023 are common where episodes are threads."""
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(max(0.0, wait_s) * 1000))

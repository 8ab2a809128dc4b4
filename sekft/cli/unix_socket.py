"""A Unix socket that accepts connections."""

import os
import socket
import stat
from pathlib import Path


def listen(path: Path) -> socket.socket:
    """Bind a socket that only its owner may use; a socket file without a listener is replaced. Raises OSError for one in use."""
    listener = socket.socket(socket.AF_UNIX)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(1024)
    return listener

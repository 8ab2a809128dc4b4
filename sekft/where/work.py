"""A piece of work for a place: a command, and the handle on it once it is taken there."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
TERMINATED_S = 60  # to close records and end containers in
OUTPUT = "there.log"  # what the command prints, where the disk is shared


@dataclass(frozen=True)
class Work:
    """folder: of the run, seen from here and, except by hf_job, from there. options, secrets: as in the settings."""

    name: str
    command: tuple[str, ...]
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    @property
    def output(self) -> Path:
        return self.folder / OUTPUT


@dataclass(frozen=True)
class Handle:
    """id: by which the place knows it. ended: waits so many seconds at most; its exit status, None while it goes on.

    ended raises WhereError where the place says more than a status.
    """

    id: str
    ended: Callable[[float], int | None]
    cancel: Callable[[], None]
    about: Mapping[str, Any] = field(default_factory=dict)


def obey(command: list[str], cwd: str, output: str) -> int:
    """The exit status of the command, which prints to a file; it ends with this process. Runs there, so it is importable."""
    with Path(output).open("ab") as printed:
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT)
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """In good order, and at last not."""
    process.terminate()
    try:
        process.wait(TERMINATED_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def at(cwd: Path | None = None) -> str:
    return os.fspath((cwd or Path.cwd()).absolute())


def python() -> str:
    return sys.executable or "python3"


def last_line(file: Path) -> str:
    """Of what was printed; empty if nothing was."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1] if lines else ""


@contextmanager
def cancelling(handle: Handle) -> Iterator[None]:
    """What is left early, by an error or from outside, is ended there, too."""
    try:
        yield
    except BaseException:
        try:
            handle.cancel()
        except Exception:  # it may have ended: why we are here is what is to be said
            log.warning("%s could not be cancelled", handle.id, exc_info=True)
        raise

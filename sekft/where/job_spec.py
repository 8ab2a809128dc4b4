"""The description of a command that another process or a cluster runs, and the handle on it once it runs."""

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
TERMINATE_S = 60  # before a terminated process is killed: it closes its records and ends its containers meanwhile
OUTPUT = "job.log"  # what the command prints, on a shared disk


@dataclass(frozen=True)
class JobSpec:
    """A command to run elsewhere. options, secrets: where.options and where.secrets."""

    name: str
    command: tuple[str, ...]
    folder: Path  # the run's folder; seen by both machines, except with hf_job
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()  # names of environment variables

    @property
    def output(self) -> Path:
        return self.folder / OUTPUT


@dataclass(frozen=True)
class JobHandle:
    """A submitted job. wait(seconds): the exit status, or None if the job still runs by then; raises WhereError if the backend
    reports a failure that is more than an exit status."""

    id: str  # the backend's
    wait: Callable[[float], int | None]
    cancel: Callable[[], None]
    details: Mapping[str, Any] = field(default_factory=dict)  # for submission.json


def execute(command: list[str], cwd: str, output: str) -> int:
    """Run the command, its output appended to a file, and return its exit status; it ends with this process.

    Ray and submitit import this function where the job runs.
    """
    with Path(output).open("ab") as file:
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                terminate(process)


def terminate(process: "subprocess.Popen[bytes]") -> None:
    """Terminate the process; kill it if it is still there after TERMINATE_S."""
    process.terminate()
    try:
        process.wait(TERMINATE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def absolute(path: Path | None = None) -> str:
    """The absolute path, by default of the working directory, as text."""
    return os.fspath((path or Path.cwd()).absolute())


def python() -> str:
    return sys.executable or "python3"


def last_line(file: Path) -> str:
    """The last printed line that is not blank; empty if there is none."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1] if lines else ""


@contextmanager
def cancel_on_error(handle: JobHandle) -> Iterator[None]:
    """Cancel the job if the block is left by an error, Ctrl-C or a signal."""
    try:
        yield
    except BaseException:
        try:
            handle.cancel()
        except Exception:  # the job may be over already; the error that led here matters more
            log.warning("%s could not be cancelled", handle.id, exc_info=True)
        raise

"""One episode's place: the protocol every backend fits, and the records that cross it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from sekft.config import SandboxConfig

TurnKind = Literal["ready", "more", "exit", "panic", "gone", "lost", "broken"]


@dataclass(frozen=True)
class File:
    """What is put into a place before its episode. mode: permission bits; content: text, or a symlink's target."""

    path: str
    content: str = ""
    mode: int = 0o644
    owner: Literal["agent", "root"] = "agent"
    kind: Literal["file", "dir", "symlink"] = "file"


@dataclass(frozen=True)
class ShellTurn:
    """What came of typing one text.

    ready: the prompt is back; more: the shell waits for another line; exit, panic: the episode ended itself;
    gone: the shell was replaced or killed; lost: no prompt can be brought back; broken: engine or container failed.
    """

    output: str  # as deployed: prefixes plain, head and tail kept
    kind: TurnKind
    status: int | None = None  # of the last command; of the shell when it ended
    cut_bytes: int = 0  # removed from the middle of the output
    dropped_lines: int = 0  # text after the line that ended the episode or was interrupted: never typed
    interrupted: str = ""  # the limit that stopped the command: timeout | flood
    reason: str = ""  # panic's words, or why lost or broken


@dataclass(frozen=True)
class CheckResult:
    """What the checker said. status None: it did not finish in time, or the place failed (broken)."""

    status: int | None
    output: str = ""
    broken: bool = False


class Session(Protocol):
    """Somewhere to live once: put, run any number of times, check once."""

    def put(self, files: Sequence[File]) -> None:
        """Lay the scenario out. Before the first run. Raises SandboxError."""

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        """Type one text, of one or more lines, and wait for the prompt, at most timeout_s per line."""

    def check(self, script: str, timeout_s: float) -> CheckResult:
        """Kill whatever the episode left running, then run the checker as agent in the home directory."""


class Backend(Protocol):
    """A maker of places. open() may be called from many threads at once."""

    name: str
    settings: SandboxConfig
    digest: str  # of the root file system that every place has: the same for all agents of an evaluation

    def open(self, environment: Mapping[str, str]) -> AbstractContextManager[Session]:
        """A fresh place with these variables; leaving the context removes it. Raises SandboxError.

        A place is used in the thread that opened it.
        """

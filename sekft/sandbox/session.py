"""The sandbox interface: the protocols Session and Backend that every backend implements, and their records."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from sekft.config import SandboxConfig

TurnKind = Literal["ready", "more", "exit", "panic", "gone", "lost", "broken"]


@dataclass(frozen=True)
class File:
    """A file that is put into a session before its episode. mode: permission bits; content: text, or a symlink's target."""

    path: str
    content: str = ""
    mode: int = 0o644
    owner: Literal["agent", "root"] = "agent"
    kind: Literal["file", "dir", "symlink"] = "file"


@dataclass(frozen=True)
class ShellTurn:
    """What the shell shows after one typed text.

    kind: ready, the prompt is back; more, the shell waits for another line; exit or panic, the agent ended the episode;
    gone, the shell was replaced or killed; lost, no prompt can be brought back; broken, the engine or the sandbox failed.
    """

    output: str  # as deployed: cleaned, head and tail of a long output
    kind: TurnKind
    status: int | None = None  # exit status of the last command, or of the shell if it ended
    cut_bytes: int = 0  # removed from the middle of the output
    dropped_lines: int = 0  # lines after the one that ended the episode or was interrupted; they were not typed
    interrupted: str = ""  # the limit that stopped the command: timeout | flood
    reason: str = ""  # argument of panic, or why the kind is lost or broken


@dataclass(frozen=True)
class CheckResult:
    """The result of a checker. status: 0 means passed; None: it did not finish in time, or the sandbox failed (broken)."""

    status: int | None
    output: str = ""
    broken: bool = False


class Session(Protocol):
    """One shell in one sandbox, from start to removal: put once, run any number of times, check once."""

    def put(self, files: Sequence[File]) -> None:
        """Write the scenario's files, before the first run. Raises SandboxError."""

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        """Type one or more lines and wait for the prompt, at most timeout_s per line. Never raises: trouble is a kind of turn."""

    def check(self, script: str, timeout_s: float) -> CheckResult:
        """Kill all processes of the agent, then run the checker as the agent's user in its home."""

    def kill(self) -> None:
        """End the sandbox at once, from any thread; a run or check under way in another one ends as broken. Never raises."""


class Backend(Protocol):
    """Opens sessions. open() may be called from many threads at once."""

    name: str
    settings: SandboxConfig
    digest: str  # of the root file system of every session

    def open(self, environment: Mapping[str, str]) -> AbstractContextManager[Session]:
        """A fresh session with these environment variables; leaving the context removes it. Raises SandboxError.

        A session is used in the thread that opened it.
        """

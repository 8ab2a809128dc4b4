"""What an attack is: texts typed at the prompt, what must come of them, and what a backend is known to let out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sekft.sandbox.session import CheckResult, ShellTurn

CHECKED = 7  # what every checker ends with unless it was deceived: then with 0
DECEIVED = 0
ONE_USER = "the control process and root's files belong to the agent's own user: chmod opens them"


@dataclass(frozen=True)
class Seen:
    """One attack's episode, from outside."""

    turns: tuple[ShellTurn, ...]
    checked: CheckResult
    seconds: float  # from open to removed
    neighbour_s: float  # the slowest answer of an episode beside it
    reached: int  # connections that arrived at a listener of the host
    grown_mb: float  # of our own memory

    @property
    def output(self) -> str:
        return "".join(turn.output for turn in self.turns)

    @property
    def shape(self) -> str:
        """How the turns ended, and after a dash the checker's status: `ready/timeout ready - 7`."""
        return f"{' '.join(map(_shape, self.turns))} - {'none' if self.checked.status is None else self.checked.status}"

    @property
    def said(self) -> dict[str, str]:
        """The lines `name: value` that an attack printed to tell what it reached; the last one counts."""
        return dict(line.split(": ", 1) for line in self.output.splitlines() if ": " in line)


Escape = Callable[[Seen], str]
"""What was not contained, in a few words; nothing if all was."""


def nothing(seen: Seen) -> str:
    """For attacks that could only break the session: that is asserted of every episode."""
    return ""


@dataclass(frozen=True)
class Attack:
    """texts are typed one after the other until the episode ends.

    shapes: patterns of Seen.shape; allowed are those under the backend's name, else those under "", else a prompt after every text.
    missing: backend -> the wall it lacks, as the table says it; there the escape must be seen, everywhere else it must not.
    """

    name: str
    texts: tuple[str, ...]
    escape: Escape = nothing
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checker: str = f"exit {CHECKED}"
    missing: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 2.0  # of one line
    check_s: float = 3.0
    settings: Mapping[str, Any] = field(default_factory=dict)  # of SandboxConfig, where the usual walls are too wide to be reached
    slow: bool = False

    def allows(self, backend: str, shape: str) -> bool:
        calm = " ".join(["ready"] * len(self.texts)) + f" - {CHECKED}"
        return any(re.fullmatch(allowed, shape) for allowed in self.shapes.get(backend, self.shapes.get("", (calm,))))


def shapes(*common: str, **own: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {"": common, **own} if common else dict(own)


def deceived(seen: Seen) -> str:
    return "the checker was deceived" if seen.checked.status == DECEIVED else ""


def more_than(limit: float, name: str, unit: str) -> Escape:
    """The attack prints `name: number`; a number it did not get to print is none."""
    return lambda seen: f"{seen.said[name]} {unit}" if float(seen.said.get(name, 0)) > limit else ""


def says(line: str, escape: str) -> Escape:
    return lambda seen: escape if line in seen.output.splitlines() else ""


def _shape(turn: ShellTurn) -> str:
    status = f":{turn.status}" if turn.kind in ("gone", "exit") else ""
    return turn.kind + status + (f"/{turn.interrupted}" if turn.interrupted else "")

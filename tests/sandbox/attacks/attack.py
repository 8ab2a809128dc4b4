"""Attacks: texts typed at the prompt, the expected turns, and the weaknesses that a backend is known to have."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sekft.sandbox.session import CheckResult, ShellTurn

CHECKED = 7  # exit status of every checker that was not deceived
DECEIVED = 0
ONE_USER = "the control process and root's files belong to the agent's own user: chmod opens them"


@dataclass(frozen=True)
class Seen:
    """What was observed of one attack."""

    turns: tuple[ShellTurn, ...]
    checked: CheckResult
    seconds: float  # from opening the session to its removal
    neighbour_s: float  # slowest answer of the neighbour
    reached: int  # connections that arrived at the listener of the host
    grown_mb: float  # growth of this process's memory

    @property
    def output(self) -> str:
        return "".join(turn.output for turn in self.turns)

    @property
    def shape(self) -> str:
        """The kinds of the turns, then the checker's status: `ready/timeout ready - 7`."""
        return f"{' '.join(map(_shape, self.turns))} - {'none' if self.checked.status is None else self.checked.status}"

    @property
    def printed(self) -> dict[str, str]:
        """The lines `name: value` that an attack prints about its success; the last of a name counts."""
        return dict(line.split(": ", 1) for line in self.output.splitlines() if ": " in line)


Escape = Callable[[Seen], str]
"""What was not contained, in a few words; empty if everything was."""


def nothing(seen: Seen) -> str:
    """For attacks on the session alone, whose expected turns are checked for every attack."""
    return ""


@dataclass(frozen=True)
class Attack:
    """texts are typed one after the other until the episode ends.

    shapes: allowed patterns of Seen.shape, by backend, "" for all others; without any, a prompt must come back after every text.
    weak: by backend, the weakness that lets the attack through; the escape must succeed there and nowhere else.
    """

    name: str
    texts: tuple[str, ...]
    escape: Escape = nothing
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checker: str = f"exit {CHECKED}"
    weak: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 2.0  # per line
    check_s: float = 3.0
    settings: Mapping[str, Any] = field(default_factory=dict)  # fields of SandboxConfig, if the usual limits are too high to be reached
    needs_core: bool = False  # its escape shows only where a core is free
    slow: bool = False

    def allows(self, backend: str, shape: str) -> bool:
        calm = " ".join(["ready"] * len(self.texts)) + f" - {CHECKED}"
        return any(re.fullmatch(allowed, shape) for allowed in self.shapes.get(backend, self.shapes.get("", (calm,))))


def shapes(*common: str, **own: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {"": common, **own} if common else dict(own)


def deceived(seen: Seen) -> str:
    return "the checker was deceived" if seen.checked.status == DECEIVED else ""


def more_than(limit: float, name: str, unit: str) -> Escape:
    """An escape if the attack prints `name: number` with a number above the limit."""
    return lambda seen: f"{seen.printed[name]} {unit}" if float(seen.printed.get(name, 0)) > limit else ""


def prints(line: str, escape: str) -> Escape:
    return lambda seen: escape if line in seen.output.splitlines() else ""


def _shape(turn: ShellTurn) -> str:
    status = f":{turn.status}" if turn.kind in ("gone", "exit") else ""
    return turn.kind + status + (f"/{turn.interrupted}" if turn.interrupted else "")

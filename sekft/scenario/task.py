"""Tasks: the directives of an archetype, the commands that solve them, and the state before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sekft.scenario.draw import Draw


class Blocker(StrEnum):
    """The reason why a scenario is to be ended by panic. none: it can be solved."""

    none = ""
    missing = "missing"  # a file does not exist
    denied = "denied"  # the agent lacks the permission
    absent = "absent"  # a tool is not installed
    contradictory = "contradictory"  # no state of the files can meet the directive
    broken = "broken"  # the provider fails in the middle of its list
    unreachable = "unreachable"  # the provider prints no directive: nothing can be done at all


@dataclass(frozen=True)
class Task:
    """One or more directives with their solution. Paths are relative to the agent's home, or absolute under draw.LOCKED.

    before: files on arrival, text by path.
    after: files in the end, text by path; None: must not exist (with a blocker: must not have been produced). A file of `before` that is
    not in `after` must not change.
    spare: files that may exist in the end, with any content; made: folders that must be created; modes: of files, where not 644;
    checks: further checker lines.
    blocker, panic: if the task is blocked, `solve` ends with the command that fails, and `panic` is the argument of panic.
    """

    directives: tuple[str, ...]
    solve: tuple[str, ...]
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str | None] = field(default_factory=dict)
    spare: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    modes: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    blocker: Blocker = Blocker.none
    panic: str = ""


class Archetype(Protocol):
    """The protocol of the modules in sekft.scenario.archetype."""

    FAMILY: str

    def task(self, draw: Draw, stop: Blocker) -> Task:
        """Draw a task. stop: none, missing or denied; an archetype that has only one of these blockers uses that one."""


def stopped(stop: Blocker, path: str) -> tuple[Blocker, str]:
    """(blocker, argument of panic). path: the file that is missing or not permitted."""
    reasons = {Blocker.missing: f"missing {path}", Blocker.denied: f"permission denied: {path}"}
    return stop, reasons.get(stop, "")


def derived_file(
    draw: Draw, stop: Blocker, phrasings: Sequence[str], command: str, text: str, result: str, suffix: str = "", **parts: str
) -> Task:
    """A task in which one command makes a file from another.

    phrasings, command: templates with {source}, {target} and the names of `parts`; text, result: contents of the two files.
    """
    source = draw.file(suffix) if stop else draw.source(suffix)
    target = draw.locked() if stop is Blocker.denied else draw.file()
    blocker, panic = stopped(stop, source if stop is Blocker.missing else target)
    return Task(
        directives=(draw.phrase(phrasings, source=source, target=target, **parts),),
        solve=(command.format(source=source, target=target, **parts),),
        before={} if stop is Blocker.missing else {source: text},
        after={target: None if stop else result},
        blocker=blocker,
        panic=panic,
    )

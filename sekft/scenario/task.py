"""What an archetype hands over: directives, what solves them, and the state before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sekft.scenario.draw import Draw


class Blocker(StrEnum):
    """What ends a scenario in panic. none: nothing does."""

    none = ""
    missing = "missing"  # a file is not there
    denied = "denied"  # the agent may not
    absent = "absent"  # a tool is not installed
    contradictory = "contradictory"  # a directive cannot be met by anything
    broken = "broken"  # the provider fails in the middle of its list
    unreachable = "unreachable"  # the provider tells nothing: nothing can be done at all


@dataclass(frozen=True)
class Task:
    """Paths are relative to the agent's home, or absolute under draw.LOCKED.

    before: the files on arrival; after: what must be there in the end, None: nothing; files of `before` not named in
    `after` stay as they were. blocker: then `solve` ends with the command that fails, `panic` says why, and None means
    not produced. spare: files that may be there in the end, whatever they hold. made: folders that are not there on
    arrival and must be; modes: of files, where not 644; checks: further checker lines.
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
    """A module of sekft.scenario.archetype."""

    FAMILY: str

    def task(self, draw: Draw, stop: Blocker) -> Task:
        """stop: none, missing or denied; one that cannot be missing a file answers with denied, and the other way round."""


def stopped(stop: Blocker, path: str) -> tuple[Blocker, str]:
    """(blocker, words of panic)."""
    said = {Blocker.missing: f"missing {path}", Blocker.denied: f"permission denied: {path}"}
    return stop, said.get(stop, "")


def derived_file(
    draw: Draw, stop: Blocker, phrasings: Sequence[str], command: str, text: str, result: str, suffix: str = "", **parts: str
) -> Task:
    """One file made from another by one command. command, phrasings: with {source}, {target} and the parts."""
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

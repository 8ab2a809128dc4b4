"""The task that blocks a scenario: a directive that cannot be met, for reasons of the archetype or of any archetype."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Archetype, Blocker, Task

PROVIDER_BLOCKERS = (Blocker.broken, Blocker.unreachable)

ABSENT = (
    "Run {tool} over {path}.",
    "{path} is to go through {tool}.",
    "Let {tool} put {path} in order.",
    "{tool} has not seen {path} yet. Show it.",
)
CONTRADICTORY = (
    "Delete {path} and leave it as it is.",
    "{path} is to be empty and to keep every line it has.",
    "Move {path} to {other} and leave {path} where it is, with no file {other}.",
    "{path} has to go, and it has to stay.",
)
TOOLS = ("{word}ify", "{word}fix", "{word}2{word}", "un{word}")


def task(archetype: Archetype, draw: Draw, stop: Blocker) -> Task:
    """The last task of a blocked scenario. stop: any blocker but those of the provider."""
    match stop:
        case Blocker.absent:
            return _absent(draw)
        case Blocker.contradictory:
            return _contradictory(draw)
        case _:
            return archetype.task(draw, stop)


def _absent(draw: Draw) -> Task:
    """A tool that is not installed. The reference types two words: a longer line that the shell does not find counts as prose."""
    tool, path = draw.phrase(TOOLS, word=draw.noun()), draw.file()
    return Task(
        directives=(draw.phrase(ABSENT, tool=tool, path=path),),
        solve=(f"{tool} {path}",),
        before={path: draw.text()},
        blocker=Blocker.absent,
        panic=f"not installed: {tool}",
    )


def _contradictory(draw: Draw) -> Task:
    """A directive that contradicts itself. The reference types nothing but panic, and the file must not change."""
    path, other = draw.file(), draw.name()
    return Task(
        directives=(draw.phrase(CONTRADICTORY, path=path, other=other),),
        solve=(),
        before={path: draw.text()},
        blocker=Blocker.contradictory,
        panic=f"contradiction about {path}",
    )

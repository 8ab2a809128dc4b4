"""What stops a scenario: a directive of the archetype that cannot be met, one that nothing could meet, or the provider itself."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Archetype, Blocker, Task

OF_PROVIDER = (Blocker.broken, Blocker.unreachable)

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
    """The directive that ends the scenario in panic."""
    match stop:
        case Blocker.absent:
            return _absent(draw)
        case Blocker.contradictory:
            return _contradictory(draw)
        case _:
            return archetype.task(draw, stop)


def _absent(draw: Draw) -> Task:
    """Three words at most are typed: a longer line that is not found would count as prose."""
    tool, path = draw.phrase(TOOLS, word=draw.noun()), draw.file()
    return Task(
        directives=(draw.phrase(ABSENT, tool=tool, path=path),),
        solve=(f"{tool} {path}",),
        before={path: draw.text()},
        blocker=Blocker.absent,
        panic=f"not installed: {tool}",
    )


def _contradictory(draw: Draw) -> Task:
    """Seen by reading; nothing is typed but the panic, and the file stays."""
    path, other = draw.file(), draw.name()
    return Task(
        directives=(draw.phrase(CONTRADICTORY, path=path, other=other),),
        solve=(),
        before={path: draw.text()},
        blocker=Blocker.contradictory,
        panic=f"contradiction about {path}",
    )

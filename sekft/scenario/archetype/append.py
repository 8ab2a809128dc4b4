"""append: add a given line to the end of a file."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "files"
PHRASINGS = (
    "Append the line '{line}' to {target}.",
    "Add to the end of {target} the line: {line}",
    "{target} lacks its last line. Append it: {line}",
    "Put one more line at the end of {target}: {line}",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `denied` only: appending creates a missing file."""
    target, text, line = draw.locked() if stop else draw.file(), draw.text(), draw.line()
    blocker, panic = stopped(stop and Blocker.denied, target)
    return Task(
        directives=(draw.phrase(PHRASINGS, target=target, line=line),),
        solve=(f"echo {line} >> {target}",),
        before={target: text},
        after={} if stop else {target: f"{text}{line}\n"},
        blocker=blocker,
        panic=panic,
    )

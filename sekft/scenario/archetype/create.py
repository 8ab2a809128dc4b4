"""create: create a file with one given line."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "files"
PHRASINGS = (
    "Create {target} with the line: {line}",
    "Write the line '{line}' to a new file {target}.",
    "A new file {target} is wanted. Its only line: {line}",
    "Make the file {target}. It holds one line: {line}",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `denied` only: the task reads no file."""
    target, line = draw.locked() if stop else draw.file(), draw.line()
    blocker, panic = stopped(stop and Blocker.denied, target)
    return Task(
        directives=(draw.phrase(PHRASINGS, target=target, line=line),),
        solve=(f"echo {line} > {target}",),
        after={target: None if stop else f"{line}\n"},
        blocker=blocker,
        panic=panic,
    )

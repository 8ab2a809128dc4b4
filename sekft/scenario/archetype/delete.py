"""delete: one file has to go, the one beside it stays."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "files"
PHRASINGS = (
    "Delete {target}.",
    "Remove the file {target}.",
    "{target} is not needed any more. Delete it.",
    "The file {target} is to be removed.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Only denied: a file that is not there needs no deleting."""
    target, beside = draw.locked() if stop else draw.file(), draw.file()
    blocker, panic = stopped(stop and Blocker.denied, target)
    return Task(
        directives=(draw.phrase(PHRASINGS, target=target),),
        solve=(f"rm {target}",),
        before={target: draw.text(), beside: draw.text()},
        after={} if stop else {target: None},
        blocker=blocker,
        panic=panic,
    )

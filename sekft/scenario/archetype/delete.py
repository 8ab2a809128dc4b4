"""delete: delete one file and keep the one beside it."""

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
    """Blocked by `denied` only: a missing file needs no deletion."""
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

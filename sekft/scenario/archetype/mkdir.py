"""mkdir: make a folder."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "files"
PHRASINGS = (
    "Make the folder {target}.",
    "A folder {target} is wanted.",
    "Create an empty folder named {target}.",
    "{target} is to be a folder.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `denied` only: the task reads no file."""
    target = f"{draw.pick(('/srv', '/usr/local'))}/{draw.folder()}" if stop else draw.folder()
    blocker, panic = stopped(stop and Blocker.denied, target)
    return Task(
        directives=(draw.phrase(PHRASINGS, target=target),),
        solve=(f"mkdir {target}",),
        after={target: None} if stop else {},
        made=() if stop else (target,),
        blocker=blocker,
        panic=panic,
    )

"""chmod: set the mode of a file, without changing its content."""

from sekft.scenario.checker import mode
from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "files"
PHRASINGS = {
    0o600: ("Nobody but its owner may read or write {target}.", "Set the mode of {target} to 600.", "Give {target} the mode 600."),
    0o755: ("Make {target} executable: its mode is to be 755.", "Set the mode of {target} to 755.", "Give {target} the mode 755."),
    0o444: ("{target} is to be read by all and written by none.", "Set the mode of {target} to 444.", "Give {target} the mode 444."),
}


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `missing` only: the error of chmod on a file of root's depends on the backend."""
    target, text = draw.file(), draw.text()
    bits = (0o600, 0o755, 0o444)[draw.number(0, 2)]
    blocker, panic = stopped(stop and Blocker.missing, target)
    return Task(
        directives=(draw.phrase(PHRASINGS[bits], target=target),),
        solve=(f"chmod {bits:o} {target}",),
        before={} if stop else {target: text},
        after={target: None} if stop else {},
        checks=() if stop else (mode(target, bits),),
        blocker=blocker,
        panic=panic,
    )

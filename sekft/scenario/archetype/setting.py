"""setting: change the value of one key in a configuration file; the other lines stay, in their order."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "records"
PHRASINGS = (
    "Set {key} to {value} in {target}.",
    "In {target} the value of {key} is to be {value}.",
    "Change the line of {key} in {target}: its value is {value} now.",
    "{target} has the wrong {key}. It is {value}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `missing` only: the error of sed without permission shows a random file name."""
    target, (key, old, value) = draw.file("conf"), draw.nouns(3)
    others = [f"{draw.noun()}={draw.noun()}" for _ in range(draw.number(2, 3))]
    lines = draw.shuffled([f"{key}={old}", *others])
    changed = [f"{key}={value}" if line.startswith(f"{key}=") else line for line in lines]
    blocker, panic = stopped(stop and Blocker.missing, target)
    return Task(
        directives=(draw.phrase(PHRASINGS, key=key, value=value, target=target),),
        solve=(f"sed -i 's/^{key}=.*/{key}={value}/' {target}",),
        before={} if stop else {target: joined(lines)},
        after={target: None if stop else joined(changed)},
        blocker=blocker,
        panic=panic,
    )

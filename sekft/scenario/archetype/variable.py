"""variable: write the value of an environment variable to a file."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "environment"
PHRASINGS = (
    "Write the value of the environment variable {name} to {target}.",
    "{target} is to hold what the variable {name} is set to.",
    "Save the value of ${name} as {target}.",
    "The environment has {name}. Put its value into {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `denied` only: a variable that is not set has an empty value."""
    name, value = "_".join(draw.nouns(2)).upper(), draw.line()
    target = draw.locked() if stop else draw.file()
    blocker, panic = stopped(stop and Blocker.denied, target)
    return Task(
        directives=(draw.phrase(PHRASINGS, name=name, target=target),),
        solve=(f"printenv {name} > {target}",),
        after={target: None if stop else f"{value}\n"},
        environment={name: value},
        blocker=blocker,
        panic=panic,
    )

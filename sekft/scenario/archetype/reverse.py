"""reverse: write the lines of a file to another file, the last one first."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Write the lines of {source} to {target} in reverse order.",
    "{target} is to hold {source} upside down, its last line first.",
    "Turn {source} round, line by line, and save it as {target}.",
    "Put the lines of {source} into {target}, from the last to the first.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    lines = draw.lines(3, 6)
    return derived_file(draw, stop, PHRASINGS, "tac {source} > {target}", joined(lines), joined(lines[::-1]))

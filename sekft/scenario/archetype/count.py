"""count: write the number of lines of a file to another file, as a bare number."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Count the lines of {source} and write the number to {target}.",
    "Write to {target} how many lines {source} has, only the number.",
    "{target} is to hold the number of lines in {source}.",
    "How many lines are in {source}? Put the number in {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    lines = draw.lines(2, 9)
    return derived_file(draw, stop, PHRASINGS, "wc -l < {source} > {target}", joined(lines), f"{len(lines)}\n")

"""sort: write the lines of a file to another file in alphabetical order."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Sort the lines of {source} into {target}.",
    "Write the lines of {source} in alphabetical order to {target}.",
    "{target} is to hold the sorted lines of {source}.",
    "Put the lines of {source} in order and save them as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Three to five words, not in order, so that a copy is wrong."""
    nouns = draw.nouns(draw.number(3, 5))
    lines = nouns if list(nouns) != sorted(nouns) else nouns[::-1]
    return derived_file(draw, stop, PHRASINGS, "sort {source} > {target}", joined(lines), joined(sorted(lines)))

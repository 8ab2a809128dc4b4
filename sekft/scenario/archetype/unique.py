"""unique: write the different lines of a file to another file, each once, in alphabetical order."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Write every different line of {source} once to {target}, in alphabetical order.",
    "{source} repeats itself. Put each of its lines once into {target}, sorted.",
    "{target} is to hold the lines of {source} in order, none twice.",
    "Sort {source} into {target} and leave out repeated lines.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    nouns = draw.nouns(draw.number(3, 4))
    lines = draw.shuffled([*nouns, *nouns[: draw.number(1, 3)]])
    return derived_file(draw, stop, PHRASINGS, "sort -u {source} > {target}", joined(lines), joined(sorted(nouns)))

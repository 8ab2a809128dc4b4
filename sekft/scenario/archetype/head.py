"""head: write the first lines of a file to another file."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Write the first {amount} lines of {source} to {target}.",
    "{target} is to hold the top {amount} lines of {source}.",
    "Only the first {amount} lines of {source} are of use. Put them in {target}.",
    "Take {amount} lines from the beginning of {source} and save them as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    amount, lines = draw.number(2, 4), draw.lines(6, 9)
    return derived_file(
        draw, stop, PHRASINGS, "head -n {amount} {source} > {target}", joined(lines), joined(lines[:amount]), amount=str(amount)
    )

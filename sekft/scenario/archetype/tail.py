"""tail: write the last lines of a file to another file."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Write the last {amount} lines of {source} to {target}.",
    "{target} is to hold the bottom {amount} lines of {source}.",
    "Only the last {amount} lines of {source} are of use. Put them in {target}.",
    "Take {amount} lines from the end of {source} and save them as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    amount, lines = draw.number(2, 4), draw.lines(6, 9)
    return derived_file(
        draw, stop, PHRASINGS, "tail -n {amount} {source} > {target}", joined(lines), joined(lines[-amount:]), amount=str(amount)
    )

"""column: write one column of a table of words to another file."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Write column {number} of {source} to {target}. Columns are separated by colons.",
    "{target} is to hold field {number} of every line of {source}; colons separate the fields.",
    "The lines of {source} are fields between colons. Put field {number} of each into {target}.",
    "Cut column {number} out of {source}, where a colon divides columns, and save it as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    number, rows = draw.number(1, 3), [draw.nouns(3) for _ in range(draw.number(3, 5))]
    text, result = joined([":".join(row) for row in rows]), joined([row[number - 1] for row in rows])
    return derived_file(draw, stop, PHRASINGS, "cut -d: -f{number} {source} > {target}", text, result, number=str(number))

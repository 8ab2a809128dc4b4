"""upper: write the text of a file in capital letters to another file."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Write {source} in capital letters to {target}.",
    "{target} is to hold the text of {source} in upper case.",
    "Turn every letter of {source} into a capital and save the result as {target}.",
    "Put the text of {source}, all in capitals, into {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    text = draw.text()
    return derived_file(draw, stop, PHRASINGS, "tr a-z A-Z < {source} > {target}", text, text.upper())

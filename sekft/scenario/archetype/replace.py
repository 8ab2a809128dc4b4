"""replace: write a file to another one with one word replaced."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Write {source} to {target} with the word {new} in place of {old}.",
    "{target} is to hold what {source} holds, but with {new} for {old}.",
    "Replace {old} by {new} in the text of {source} and save it as {target}.",
    "In {source} it says {old}. In {target} it is to say {new} instead.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """The old word occurs once in two lines, and no other word contains it."""
    old, new = draw.nouns(2)
    others = [noun for noun in draw.nouns(8) if old not in noun]
    lines = draw.shuffled([f"{old} {others[0]}", f"{others[1]} {old}", *others[2:4]])
    result = joined([line.replace(old, new) for line in lines])
    return derived_file(draw, stop, PHRASINGS, "sed s/{old}/{new}/ {source} > {target}", joined(lines), result, old=old, new=new)

"""copy: copy a file."""

from dataclasses import replace

from sekft.scenario.checker import apart
from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "files"
PHRASINGS = (
    "Copy {source} to {target}.",
    "Make a copy of {source} and name it {target}.",
    "{target} is to be a copy of {source}.",
    "Keep {source} and put a copy of it at {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    text = draw.text()
    copied = derived_file(draw, stop, PHRASINGS, "cp {source} {target}", text, text)
    if stop:
        return copied
    (source,), (target,) = copied.before, copied.after
    return replace(copied, checks=(apart(source, target),))

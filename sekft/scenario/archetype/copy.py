"""copy: a file is wanted in a second place and stays in the first."""

from sekft.scenario.author import Draw, Task, denied, missing
from sekft.scenario.checker import apart

SAYINGS = (
    "Copy {source} to {target}.",
    "Make a copy of {source} and name it {target}.",
    "{target} is to be a copy of {source}.",
    "Keep {source} and put a copy of it at {target}.",
)


def doable(draw: Draw) -> Task:
    source, target, text = draw.source(), draw.file(), draw.text()
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target),
        solve=(f"cp {source} {target}",),
        before={source: text},
        after={target: text},
        checks=(apart(source, target),),
    )


def blocked(draw: Draw) -> Task:
    lost = draw.lost()
    source, target = draw.file(), draw.file() if lost else draw.locked()
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target),
        solve=(f"cp {source} {target}",),
        before={} if lost else {source: draw.text()},
        after={target: None},
        panic=missing(source) if lost else denied(target),
    )

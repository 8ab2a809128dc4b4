"""count: how many lines a file has is wanted in another file, as a bare number."""

from sekft.scenario.author import Draw, Task, denied, joined, missing

SAYINGS = (
    "Count the lines of {source} and write the number to {target}.",
    "Write to {target} how many lines {source} has, only the number.",
    "{target} is to hold the number of lines in {source}.",
    "How many lines are in {source}? Put the number in {target}.",
)


def doable(draw: Draw) -> Task:
    source, target, lines = draw.source(), draw.file(), draw.lines(2, 9)
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target),
        solve=(f"wc -l < {source} > {target}",),
        before={source: joined(lines)},
        after={target: f"{len(lines)}\n"},
    )


def blocked(draw: Draw) -> Task:
    lost = draw.lost()
    source, target = draw.file(), draw.file() if lost else draw.locked()
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target),
        solve=(f"wc -l < {source} > {target}",),
        before={} if lost else {source: joined(draw.lines(2, 9))},
        after={target: None},
        panic=missing(source) if lost else denied(target),
    )

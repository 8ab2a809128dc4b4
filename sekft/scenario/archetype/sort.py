"""sort: the lines of a file are wanted in another file, in alphabetical order."""

from sekft.scenario.author import Draw, Task, denied, joined, missing

SAYINGS = (
    "Sort the lines of {source} into {target}.",
    "Write the lines of {source} in alphabetical order to {target}.",
    "{target} is to hold the sorted lines of {source}.",
    "Put the lines of {source} in order and save them as {target}.",
)


def doable(draw: Draw) -> Task:
    source, target, lines = draw.source(), draw.file(), _unsorted(draw)
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target),
        solve=(f"sort {source} > {target}",),
        before={source: joined(lines)},
        after={target: joined(sorted(lines))},
    )


def blocked(draw: Draw) -> Task:
    lost = draw.lost()
    source, target = draw.file(), draw.file() if lost else draw.locked()
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target),
        solve=(f"sort {source} > {target}",),
        before={} if lost else {source: joined(_unsorted(draw))},
        after={target: None},
        panic=missing(source) if lost else denied(target),
    )


def _unsorted(draw: Draw) -> tuple[str, ...]:
    """Three to five words, not in order: a copy would not do."""
    nouns = draw.nouns(draw.number(3, 5))
    return nouns if list(nouns) != sorted(nouns) else nouns[::-1]

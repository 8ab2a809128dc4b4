"""grep: the lines of a file that hold a certain word are wanted in another file, in their order."""

from sekft.scenario.author import Draw, Task, denied, joined, missing

SAYINGS = (
    "Write the lines of {source} that contain the word {word} to {target}.",
    "Find the lines with {word} in {source} and put them in {target}.",
    "{target} is to hold every line of {source} that has the word {word}.",
    "Collect in {target} the lines of {source} where {word} occurs.",
)


def doable(draw: Draw) -> Task:
    source, target, word = draw.source(), draw.file(), draw.noun()
    lines = _lines(draw, word)
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target, word=word),
        solve=(f"grep {word} {source} > {target}",),
        before={source: joined(lines)},
        after={target: joined([line for line in lines if word in line])},
    )


def blocked(draw: Draw) -> Task:
    lost = draw.lost()
    source, target, word = draw.file(), draw.file() if lost else draw.locked(), draw.noun()
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target, word=word),
        solve=(f"grep {word} {source} > {target}",),
        before={} if lost else {source: joined(_lines(draw, word))},
        after={target: None},
        panic=missing(source) if lost else denied(target),
    )


def _lines(draw: Draw, word: str) -> list[str]:
    """Two or three lines with the word, two or three where no part of it occurs, mixed."""
    found = [f"{word} {draw.noun()}" if draw.chance(0.5) else f"{draw.noun()} {word}" for _ in range(draw.number(2, 3))]
    other = [line for line in draw.lines(4, 5) if word not in line][:3]
    return list(draw.mixed([*found, *other]))

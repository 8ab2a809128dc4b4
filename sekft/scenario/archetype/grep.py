"""grep: write the lines of a file that contain a given word to another file, in their order."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "text"
PHRASINGS = (
    "Write the lines of {source} that contain the word {word} to {target}.",
    "Find the lines with {word} in {source} and put them in {target}.",
    "{target} is to hold every line of {source} that has the word {word}.",
    "Collect in {target} the lines of {source} where {word} occurs.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    word = draw.noun()
    lines = with_word(draw, word)
    matches = joined([line for line in lines if word in line])
    return derived_file(draw, stop, PHRASINGS, "grep {word} {source} > {target}", joined(lines), matches, word=word)


def with_word(draw: Draw, word: str) -> tuple[str, ...]:
    """Two or three lines with the word and up to three without it, shuffled."""
    matches = [f"{word} {draw.noun()}" if draw.chance(0.5) else f"{draw.noun()} {word}" for _ in range(draw.number(2, 3))]
    other = [line for line in draw.lines(4, 5) if word not in line][:3]
    return draw.shuffled([*matches, *other])

"""filter: write the rows of a table whose second field is a given word to another file."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "records"
PHRASINGS = (
    "Write the rows of {source} whose second field is {word} to {target}.",
    "{target} is to hold every row of {source} with {word} in the second column; commas separate columns.",
    "Of the table {source} only the rows with {word} as second field are wanted, in {target}.",
    "Keep those rows of {source} where the second column says {word}. Save them as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """The word is also in a first field, so that a search of whole rows finds too much."""
    word, other = draw.nouns(2)
    rows = [f"{draw.noun()},{word},{draw.number(1, 99)}" for _ in range(draw.number(2, 3))]
    wrong = [f"{word},{other},{draw.number(1, 99)}", f"{draw.noun()},{other},{draw.number(1, 99)}"]
    lines = draw.shuffled([*rows, *wrong])
    result = joined([line for line in lines if line.split(",")[1] == word])
    command = "awk -F, '$2 == \"{word}\"' {source} > {target}"
    return derived_file(draw, stop, PHRASINGS, command, joined(lines), result, suffix="csv", word=word)

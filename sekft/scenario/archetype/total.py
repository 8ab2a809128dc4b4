"""total: write the sum of one column of a table to another file."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "records"
PHRASINGS = (
    "Add up the numbers in the second column of {source} and write the sum to {target}.",
    "{target} is to hold the sum of the second field of {source}; commas separate the fields.",
    "The second column of {source} is amounts. Write what they add up to into {target}.",
    "What do the amounts in {source} come to? They follow the first comma. Put the sum in {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    amounts = [draw.number(2, 99) for _ in range(draw.number(3, 5))]
    text = joined([f"{draw.noun()},{amount},{draw.noun()}" for amount in amounts])
    command = "awk -F, '{{s += $2}} END {{print s}}' {source} > {target}"
    return derived_file(draw, stop, PHRASINGS, command, text, f"{sum(amounts)}\n", suffix="csv")

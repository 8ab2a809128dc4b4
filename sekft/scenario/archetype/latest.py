"""latest: write the latest entry of an unordered log to another file."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, derived_file

FAMILY = "records"
PHRASINGS = (
    "Write the latest entry of {source} to {target}. Every entry begins with its day.",
    "{source} is out of order. Its latest entry is wanted in {target}.",
    "{target} is to hold the one line of {source} with the latest day.",
    "Which entry of {source} is the latest? Put that line in {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """The latest entry is never the last line, so that tail alone is wrong."""
    days = sorted({draw.day() for _ in range(8)})[-draw.number(4, 5) :]
    entries = [f"{day} {draw.line()}" for day in days]
    lines = [entries[-1], *draw.shuffled(entries[:-1])]
    return derived_file(draw, stop, PHRASINGS, "sort {source} | tail -n 1 > {target}", joined(lines), joined(entries[-1:]), suffix="log")

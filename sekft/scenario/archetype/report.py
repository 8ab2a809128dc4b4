"""report: pick lines from a log, sort them, keep the first; each directive builds on the one before."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "steps"
PICK = ("Write the lines of {source} with {word} to {picked}.", "Collect in {picked} every line of {source} that has {word} in it.")
ORDER = ("Sort {picked} into {ordered}.", "Then the lines of {picked} are wanted in alphabetical order, in {ordered}.")
FIRST = ("Put the first line of {ordered} in {target}.", "{target} is to hold the line {ordered} begins with.")


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked at the first step by a missing file, or at the last by a target that cannot be written."""
    word, source, picked, ordered = draw.noun(), draw.file("log"), draw.file(), draw.file()
    target = draw.locked() if stop is Blocker.denied else draw.file()
    matches = draw.shuffled([f"{noun} {word}" for noun in draw.nouns(3)])
    lines = draw.shuffled([*matches, *(line for line in draw.lines(2, 3) if word not in line)])
    kept = [line for line in lines if word in line]
    parts = {"source": source, "word": word, "picked": picked, "ordered": ordered, "target": target}
    steps = (f"grep {word} {source} > {picked}", f"sort {picked} > {ordered}", f"head -n 1 {ordered} > {target}")
    made = {picked: joined(kept), ordered: joined(sorted(kept)), target: None if stop else f"{min(kept)}\n"}
    is_missing = stop is Blocker.missing
    blocker, panic = stopped(stop, source if is_missing else target)
    return Task(
        directives=tuple(draw.phrase(phrasings, **parts) for phrasings in (PICK, ORDER, FIRST)),
        solve=steps[:1] if is_missing else steps,
        before={} if is_missing else {source: joined(lines)},
        after=dict.fromkeys(made) if is_missing else made,
        blocker=blocker,
        panic=panic,
    )

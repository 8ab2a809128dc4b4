"""chain: copy a file, add a line to the copy, count its lines; each directive builds on the one before."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "steps"
COPY = ("Copy {source} to {copy}.", "{copy} is to begin as a copy of {source}.", "First, {copy}: a copy of {source}.")
ADD = (
    "Then add the line '{line}' to {copy}.",
    "After that {copy} gets one more line: {line}",
    "Append to {copy}, once it is there: {line}",
)
COUNT = (
    "Last, write the number of lines {copy} then has to {target}.",
    "{target} is to hold how many lines {copy} has in the end.",
    "Count the lines of the finished {copy} into {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked at the first step by a missing file, or at the last by a target that cannot be written."""
    source, copy, lines, line = draw.file(), draw.file(), draw.lines(2, 5), draw.line()
    target = draw.locked() if stop is Blocker.denied else draw.file()
    parts = {"source": source, "copy": copy, "line": line, "target": target}
    steps = (f"cp {source} {copy}", f"echo {line} >> {copy}", f"wc -l < {copy} > {target}")
    text = joined([*lines, line])
    blocker, panic = stopped(stop, source if stop is Blocker.missing else target)
    return Task(
        directives=tuple(draw.phrase(phrasings, **parts) for phrasings in (COPY, ADD, COUNT)),
        solve=steps[:1] if stop is Blocker.missing else steps,
        before={} if stop is Blocker.missing else {source: joined(lines)},
        after={copy: None if stop is Blocker.missing else text, target: None if stop else f"{len(lines) + 1}\n"},
        blocker=blocker,
        panic=panic,
    )

"""tidy: make a folder, move two files into it, list its content; each directive builds on the one before."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "steps"
MAKE = ("Make the folder {folder}.", "A folder {folder} is wanted.", "First there is to be a folder {folder}.")
MOVE = (
    "Move {first} and {second} into it.",
    "{first} and {second} belong in it.",
    "Then put {first} and {second} there, and nowhere else.",
)
LIST = (
    "Write the names of the files that {folder} then holds to {target}, sorted.",
    "{target} is to list what is in {folder} in the end, in alphabetical order.",
    "Last, save an alphabetical list of what {folder} holds as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked at the second step by a missing file, or at the last by a target that cannot be written."""
    folder, first, second, texts = draw.folder(), draw.name(), draw.name(), (draw.text(), draw.text())
    target = draw.locked() if stop is Blocker.denied else draw.file()
    parts = {"folder": folder, "first": first, "second": second, "target": target}
    steps = (f"mkdir {folder}", f"mv {first} {second} {folder}", f"ls {folder} > {target}")
    is_missing = stop is Blocker.missing
    moved: dict[str, str | None] = {f"{folder}/{first}": texts[0], first: None}
    if not is_missing:
        moved |= {f"{folder}/{second}": texts[1], second: None}
    blocker, panic = stopped(stop, second if is_missing else target)
    return Task(
        directives=tuple(draw.phrase(phrasings, **parts) for phrasings in (MAKE, MOVE, LIST)),
        solve=steps[:2] if is_missing else steps,
        before={first: texts[0]} if is_missing else {first: texts[0], second: texts[1]},
        after={**moved, target: None if stop else joined(sorted((first, second)))},
        made=(folder,),
        blocker=blocker,
        panic=panic,
    )

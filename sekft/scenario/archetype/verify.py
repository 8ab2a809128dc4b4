"""verify: check files against a list of checksums and write the name of the one that does not match to a file."""

import hashlib

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "archives"
PHRASINGS = (
    "{sums} holds SHA-256 checksums. Write the name of the file that does not match to {target}.",
    "One of the files in {sums} has changed since its checksum was taken. Put its name in {target}.",
    "{target} is to hold the name of the file whose checksum in {sums} is wrong.",
    "Check the files listed in {sums} by sha256sum and write the name of the bad one to {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    sums, names = draw.name("sum"), [draw.name() for _ in range(3)]
    files = {name: draw.text() for name in names}
    changed = draw.pick(names)
    listed_texts = {name: draw.text() if name == changed else text for name, text in files.items()}
    listed = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in listed_texts.items())
    target = draw.locked() if stop is Blocker.denied else draw.file()
    blocker, panic = stopped(stop, sums if stop is Blocker.missing else target)
    return Task(
        directives=(draw.phrase(PHRASINGS, sums=sums, target=target),),
        solve=(f"sha256sum -c {sums}", *(() if stop is Blocker.missing else (f"echo {changed} > {target}",))),
        before=files if stop is Blocker.missing else {**files, sums: listed},
        after={target: None if stop else f"{changed}\n"},
        blocker=blocker,
        panic=panic,
    )

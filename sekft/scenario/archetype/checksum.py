"""checksum: write the SHA-256 of a file to another file, as sha256sum prints it."""

import hashlib

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "archives"
PHRASINGS = (
    "Write the SHA-256 checksum of {source} to {target}, as sha256sum prints it.",
    "{target} is to hold what sha256sum prints for {source}.",
    "Keep the checksum of {source} in {target}; sha256sum is the tool.",
    "Save the sha256sum of {source} as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    source, target, text = draw.file(), draw.locked() if stop is Blocker.denied else draw.file(), draw.text()
    blocker, panic = stopped(stop, source if stop is Blocker.missing else target)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Task(
        directives=(draw.phrase(PHRASINGS, source=source, target=target),),
        solve=(f"sha256sum {source} > {target}",),
        before={} if stop is Blocker.missing else {source: text},
        after={target: None if stop else f"{digest}  {source}\n"},
        blocker=blocker,
        panic=panic,
    )

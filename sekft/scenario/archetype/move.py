"""move: move a file into another folder."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "files"
PHRASINGS = (
    "Move {source} into the folder {folder}.",
    "{source} belongs in {folder}. Move it there.",
    "{source} is in the wrong place. Its place is the folder {folder}.",
    "The file {source} is to lie in {folder} and nowhere else.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    source, text = draw.file(), draw.text()
    folder = f"/srv/{draw.folder()}" if stop is Blocker.denied else draw.folder()
    target = f"{folder}/{source.rpartition('/')[2]}"
    blocker, panic = stopped(stop, source if stop is Blocker.missing else folder)
    after: dict[str, str | None] = {target: None} if stop else {source: None, target: text}
    return Task(
        directives=(draw.phrase(PHRASINGS, source=source, folder=folder),),
        solve=(f"mv {source} {folder}",),
        before={} if stop is Blocker.missing else {source: text},
        after=after,
        blocker=blocker,
        panic=panic,
    )

"""rename: give a file another name in the same folder."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "files"
PHRASINGS = (
    "Rename {source} to {target}.",
    "{source} has the wrong name. It is to be called {target}.",
    "The file {source} is to become {target}.",
    "Give {source} the name {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    source, text = draw.locked() if stop is Blocker.denied else draw.file(), draw.text()
    folder, slash, _ = source.rpartition("/")
    target = f"{folder}{slash}{draw.name()}"
    after: dict[str, str | None] = {target: None} if stop else {source: None, target: text}
    blocker, panic = stopped(stop, source)
    return Task(
        directives=(draw.phrase(PHRASINGS, source=source, target=target),),
        solve=(f"mv {source} {target}",),
        before={} if stop is Blocker.missing else {source: text},
        after=after,
        blocker=blocker,
        panic=panic,
    )

"""find_size: find the only file below a folder that is larger than a given size."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "search"
PHRASINGS = (
    "Write the path of the file below {folder} that has more than {size} bytes to {target}.",
    "One file in {folder} is larger than {size} bytes. Put its path in {target}.",
    "{target} is to hold the path of the only file under {folder} with over {size} bytes.",
    "Which file below {folder} exceeds {size} bytes? Save its path as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    folder, size = draw.folder(), draw.number(4, 7) * 50
    large, *small = (f"{folder}/{draw.name()}" for _ in range(3))
    long_text = joined([f"{draw.noun()} " * (size // 10) + "end" for _ in range(4)])
    files = {path: long_text if path == large else draw.text() for path in draw.shuffled([large, *small])}
    target = draw.locked() if stop is Blocker.denied else draw.file()
    blocker, panic = stopped(stop, folder if stop is Blocker.missing else target)
    return Task(
        directives=(draw.phrase(PHRASINGS, folder=folder, size=str(size), target=target),),
        solve=(f"find {folder} -type f -size +{size}c > {target}",),
        before={} if stop is Blocker.missing else files,
        after={target: None if stop else f"{large}\n"},
        blocker=blocker,
        panic=panic,
    )

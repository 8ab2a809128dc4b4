"""pack: put two files into a tar archive and keep them."""

from sekft.scenario.checker import packed
from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "archives"
PHRASINGS = (
    "Pack {first} and {second} into the tar archive {target}.",
    "{target} is to be a tar archive of {first} and {second}.",
    "Make a tar archive {target}. It holds {first} and {second}.",
    "Keep {first} and {second}, and archive both with tar as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    first, second, texts = draw.file(), draw.file(), (draw.text(), draw.text())
    target = draw.locked("tar") if stop is Blocker.denied else draw.file("tar")
    blocker, panic = stopped(stop, second if stop is Blocker.missing else target)
    files = {first: texts[0]} if stop is Blocker.missing else {first: texts[0], second: texts[1]}
    return Task(
        directives=(draw.phrase(PHRASINGS, first=first, second=second, target=target),),
        solve=(f"tar -cf {target} {first} {second}",),
        before=files,
        after={target: None} if stop is Blocker.denied else {},
        spare=(target,),
        checks=() if stop else tuple(packed(target, path, text) for path, text in files.items()),
        blocker=blocker,
        panic=panic,
    )

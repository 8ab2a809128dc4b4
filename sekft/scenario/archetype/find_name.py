"""find_name: list the paths of all files below a folder that have a given suffix."""

from sekft.scenario.draw import Draw, joined
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "search"
PHRASINGS = (
    "Write the paths of all .{suffix} files below {folder} to {target}, in alphabetical order.",
    "Which files below {folder} end in .{suffix}? Put their paths in {target}, sorted.",
    "{target} is to list, in order, the path of every .{suffix} file in {folder} and its folders.",
    "Find the .{suffix} files under {folder} and save their sorted paths as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    folder, suffix = draw.folder(), draw.pick(("log", "md", "csv"))
    matches = [f"{folder}/{draw.noun()}/{draw.name(suffix)}", f"{folder}/{draw.name(suffix)}"]
    files = {path: draw.text() for path in draw.shuffled([*matches, f"{folder}/{draw.name('txt')}"])}
    target = draw.locked("txt") if stop is Blocker.denied else draw.file("txt")
    blocker, panic = stopped(stop, folder if stop is Blocker.missing else target)
    return Task(
        directives=(draw.phrase(PHRASINGS, suffix=suffix, folder=folder, target=target),),
        solve=(f"find {folder} -name '*.{suffix}' | sort > {target}",),
        before={} if stop is Blocker.missing else files,
        after={target: None if stop else joined(sorted(matches))},
        blocker=blocker,
        panic=panic,
    )

"""find_text: find the only file below a folder that contains a given word."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "search"
PHRASINGS = (
    "Write the path of the file below {folder} that contains {word} to {target}.",
    "One file in {folder} has the word {word} in it. Put its path in {target}.",
    "{target} is to hold the path of the only file under {folder} where {word} occurs.",
    "Which file below {folder} mentions {word}? Save its path as {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    folder, word = draw.folder(), draw.noun()
    match, *others = (f"{folder}/{draw.name()}" for _ in range(3))
    files = {path: _text(draw, word, path == match) for path in draw.shuffled([match, *others])}
    target = draw.locked() if stop is Blocker.denied else draw.file()
    blocker, panic = stopped(stop, folder if stop is Blocker.missing else target)
    return Task(
        directives=(draw.phrase(PHRASINGS, folder=folder, word=word, target=target),),
        solve=(f"grep -rl {word} {folder} > {target}",),
        before={} if stop is Blocker.missing else files,
        after={target: None if stop else f"{match}\n"},
        blocker=blocker,
        panic=panic,
    )


def _text(draw: Draw, word: str, match: bool) -> str:
    """Lines that contain the word by chance, as a part of another one, are left out."""
    lines = [line for line in draw.lines(2, 3) if word not in line]
    return "".join(f"{line}\n" for line in (*lines, *([f"{word} {draw.noun()}"] if match else [])))

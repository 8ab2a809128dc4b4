"""move: a file is wanted in another place and no longer in the first."""

from sekft.scenario.author import Draw, Task, denied, missing

SAYINGS = (
    "Move {source} to {target}.",
    "Rename {source} to {target}.",
    "{source} is in the wrong place. Move it to {target}.",
    "The file {source} is to become {target}.",
)


def doable(draw: Draw) -> Task:
    source, target, text = draw.file(), draw.file(), draw.text()
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target),
        solve=(f"mv {source} {target}",),
        before={source: text},
        after={source: None, target: text},
    )


def blocked(draw: Draw) -> Task:
    lost = draw.lost()
    source, target = draw.file(), draw.file() if lost else draw.locked()
    return Task(
        directive=draw.say(SAYINGS, source=source, target=target),
        solve=(f"mv {source} {target}",),
        before={} if lost else {source: draw.text()},
        after={target: None},
        panic=missing(source) if lost else denied(target),
    )

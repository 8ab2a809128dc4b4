"""delete: one file has to go, the one beside it stays."""

from sekft.scenario.author import Draw, Task, denied

SAYINGS = (
    "Delete {target}.",
    "Remove the file {target}.",
    "{target} is not needed any more. Delete it.",
    "The file {target} is to be removed.",
)


def doable(draw: Draw) -> Task:
    target, beside = draw.file(), draw.file()
    return Task(
        directive=draw.say(SAYINGS, target=target),
        solve=(f"rm {target}",),
        before={target: draw.text(), beside: draw.text()},
        after={target: None},
    )


def blocked(draw: Draw) -> Task:
    target = draw.locked()
    return Task(
        directive=draw.say(SAYINGS, target=target),
        solve=(f"rm {target}",),
        before={target: draw.text()},
        panic=denied(target),
    )

"""create: a file that is not there yet is wanted, with one line in it."""

from sekft.scenario.author import Draw, Task, denied

SAYINGS = (
    "Create {target} with the line: {line}",
    "Write the line '{line}' to a new file {target}.",
    "A new file {target} is wanted. Its only line: {line}",
    "Make the file {target}. It holds one line: {line}",
)


def doable(draw: Draw) -> Task:
    target, line = draw.file(), draw.line()
    return Task(
        directive=draw.say(SAYINGS, target=target, line=line),
        solve=(f"echo {line} > {target}",),
        after={target: f"{line}\n"},
    )


def blocked(draw: Draw) -> Task:
    target, line = draw.locked(), draw.line()
    return Task(
        directive=draw.say(SAYINGS, target=target, line=line),
        solve=(f"echo {line} > {target}",),
        after={target: None},
        panic=denied(target),
    )

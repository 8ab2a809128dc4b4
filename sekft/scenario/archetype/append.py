"""append: a file lacks its last line."""

from sekft.scenario.author import Draw, Task, denied

SAYINGS = (
    "Append the line '{line}' to {target}.",
    "Add to the end of {target} the line: {line}",
    "{target} lacks its last line. Append it: {line}",
    "Put one more line at the end of {target}: {line}",
)


def doable(draw: Draw) -> Task:
    target, text, line = draw.file(), draw.text(), draw.line()
    return Task(
        directive=draw.say(SAYINGS, target=target, line=line),
        solve=(f"echo {line} >> {target}",),
        before={target: text},
        after={target: f"{text}{line}\n"},
    )


def blocked(draw: Draw) -> Task:
    target, text, line = draw.locked(), draw.text(), draw.line()
    return Task(
        directive=draw.say(SAYINGS, target=target, line=line),
        solve=(f"echo {line} >> {target}",),
        before={target: text},
        panic=denied(target),
    )

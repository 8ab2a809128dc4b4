"""script: write a script of one given line, run it, and save its output."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "environment"
PHRASINGS = (
    "Write the script {script}. Its only line: {line}. Save what it prints as {target}.",
    "{script} is to be a script with one line, {line}, and {target} is to hold its output.",
    "Make the script {script} of the line {line}, run it, and keep what it prints in {target}.",
    "A script {script} is wanted, one line long: {line}. Its output belongs in {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `denied` only: the task reads no file. The line has no quotes and nothing that sh expands."""
    words = draw.line()
    script, target = draw.file("sh"), draw.locked() if stop else draw.file()
    blocker, panic = stopped(stop and Blocker.denied, target)
    return Task(
        directives=(draw.phrase(PHRASINGS, script=script, line=f"echo {words}", target=target),),
        solve=(f"echo echo {words} > {script}", f"sh {script} > {target}"),
        after={script: f"echo {words}\n", target: None if stop else f"{words}\n"},
        blocker=blocker,
        panic=panic,
    )

"""run: write the output of an existing script to a file. The script computes, so that its text does not show the output."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "environment"
PHRASINGS = (
    "Run the script {script} and save what it prints as {target}.",
    "{target} is to hold the output of the script {script}.",
    "What does {script} print when sh runs it? Write it to {target}.",
    "Let sh run {script}, and keep its output in {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    script, target = draw.file("sh"), draw.locked() if stop is Blocker.denied else draw.file()
    first, second, word = draw.number(3, 40), draw.number(3, 40), draw.noun()
    text = f"number={first}\necho {word} $((number * {second}))\n"
    blocker, panic = stopped(stop, script if stop is Blocker.missing else target)
    return Task(
        directives=(draw.phrase(PHRASINGS, script=script, target=target),),
        solve=(f"sh {script} > {target}",),
        before={} if stop is Blocker.missing else {script: text},
        after={target: None if stop else f"{word} {first * second}\n"},
        blocker=blocker,
        panic=panic,
    )

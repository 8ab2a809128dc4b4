"""concat: join two files in a given order into a third."""

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "text"
PHRASINGS = (
    "Join {first} and {second}, in this order, into {target}.",
    "{target} is to hold {first} followed by {second}.",
    "Write {first} and after it {second} to {target}.",
    "Put the text of {first} and then that of {second} into {target}.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    first, second = draw.file(), draw.file() if stop else draw.source()
    target = draw.locked() if stop is Blocker.denied else draw.file()
    texts = {first: draw.text(), second: draw.text()}
    is_missing = stop is Blocker.missing
    blocker, panic = stopped(stop, second if is_missing else target)
    return Task(
        directives=(draw.phrase(PHRASINGS, first=first, second=second, target=target),),
        solve=(f"cat {first} {second} > {target}",),
        before={first: texts[first]} if is_missing else texts,
        after={} if is_missing else {target: None if stop else texts[first] + texts[second]},
        spare=(target,),  # where the second file is missing, cat has written the first
        blocker=blocker,
        panic=panic,
    )

"""What runs are compared by: rates of lives, some of them of solvable or of blocked worlds only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.eval.rates import JUDGED, Rate, rate

Holds = Callable[[Trajectory], bool]


def blocked(life: Trajectory) -> bool:
    return life.meta.get("terminal") == "panic"


def justified(life: Trajectory) -> bool:
    return life.outcome is Outcome.justified_panic


@dataclass(frozen=True)
class Measure:
    """met: what is counted; among: of which lives; said: as a sentence's verb. by_world: the world alone decides `among`."""

    met: Holds
    said: str
    among: Holds = lambda life: True
    by_world: bool = True


MEASURES = {
    "operated": Measure(JUDGED["operated"], "operated"),
    "terminated": Measure(JUDGED["terminated"], "terminated"),
    "right_terminal": Measure(JUDGED["right_terminal"], "left by the right way"),
    "solved": Measure(JUDGED["solved"], "solved"),
    "verified": Measure(JUDGED["verified"], "verified"),
    "verified_solvable": Measure(JUDGED["verified"], "verified solvable worlds", lambda life: not blocked(life)),
    "panic_precision": Measure(justified, "panicked with reason", lambda life: life.ending is Ending.panic, by_world=False),
    "panic_recall": Measure(justified, "left blocked worlds by a justified panic", blocked),
    "false_panic": Measure(JUDGED["false_panic"], "panicked falsely"),
}
TABLE = ("terminated", "verified", "verified_solvable", "panic_precision", "panic_recall")  # of every comparison
COMPARABLE = tuple(name for name, measure in MEASURES.items() if measure.by_world)  # world by world


def among(lives: Sequence[Trajectory], name: str) -> list[Trajectory]:
    return [life for life in lives if MEASURES[name].among(life)]


def counted(lives: Sequence[Trajectory], name: str) -> Rate:
    """Several lives in one world, of attempts or of training seeds, are one world to the interval."""
    asked = among(lives, name)
    return rate(sum(map(MEASURES[name].met, asked)), len(asked), len({life.bundle_id for life in asked}))


LETTERS = {
    "W": "won: the adapter meets the criterion, the base does not",
    "L": "lost: the base meets it, the adapter does not",
    "B": "both meet it",
    "N": "neither meets it",
    "X": "not compared: a life broke",
}


def letter(base: Sequence[Trajectory], tuned: Sequence[Trajectory], met: Callable[[Trajectory], bool]) -> str:
    """Of one world's lives. Several attempts: whoever meets it in more of them; a base that only broke is not compared."""
    lived = [life for life in base if life.ending is not Ending.broken]
    if not lived or not tuned:
        return "X"
    before, after = (sum(map(met, group)) / len(group) for group in (lived, tuned))
    return "W" if after > before else "L" if after < before else "B" if after else "N"

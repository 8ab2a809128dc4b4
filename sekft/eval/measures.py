"""What runs are compared by: rates of episodes, some of them of solvable or of blocked scenarios only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.eval.rates import JUDGED, Rate, rate

Holds = Callable[[Trajectory], bool]


def blocked(episode: Trajectory) -> bool:
    return episode.meta.get("terminal") == "panic"


def justified(episode: Trajectory) -> bool:
    return episode.outcome is Outcome.justified_panic


@dataclass(frozen=True)
class Measure:
    """met: what is counted; among: of which episodes; said: as a sentence's command. by_scenario: the scenario alone decides `among`."""

    met: Holds
    said: str
    among: Holds = lambda episode: True
    by_scenario: bool = True


MEASURES = {
    "operated": Measure(JUDGED["operated"], "operated"),
    "terminated": Measure(JUDGED["terminated"], "terminated"),
    "right_terminal": Measure(JUDGED["right_terminal"], "left by the right way"),
    "solved": Measure(JUDGED["solved"], "solved"),
    "verified": Measure(JUDGED["verified"], "verified"),
    "verified_solvable": Measure(JUDGED["verified"], "verified solvable scenarios", lambda episode: not blocked(episode)),
    "panic_precision": Measure(justified, "panicked with reason", lambda episode: episode.ending is Ending.panic, by_scenario=False),
    "panic_recall": Measure(justified, "left blocked scenarios by a justified panic", blocked),
    "false_panic": Measure(JUDGED["false_panic"], "panicked falsely"),
}
TABLE = ("terminated", "verified", "verified_solvable", "panic_precision", "panic_recall")  # of every comparison
COMPARABLE = tuple(name for name, measure in MEASURES.items() if measure.by_scenario)  # scenario by scenario


def among(episodes: Sequence[Trajectory], name: str) -> list[Trajectory]:
    return [episode for episode in episodes if MEASURES[name].among(episode)]


def counted(episodes: Sequence[Trajectory], name: str) -> Rate:
    """Several episodes in one scenario, of attempts or of training seeds, are one scenario to the interval."""
    asked = among(episodes, name)
    return rate(sum(map(MEASURES[name].met, asked)), len(asked), len({episode.scenario_id for episode in asked}))


LETTERS = {
    "W": "won: the adapter meets the criterion, the base does not",
    "L": "lost: the base meets it, the adapter does not",
    "B": "both meet it",
    "N": "neither meets it",
    "X": "not compared: an episode broke",
}


def letter(base: Sequence[Trajectory], tuned: Sequence[Trajectory], met: Callable[[Trajectory], bool]) -> str:
    """Of one scenario's episodes. Several attempts: whoever meets it in more of them; a base that only broke is not compared."""
    played = [episode for episode in base if episode.ending is not Ending.broken]
    if not played or not tuned:
        return "X"
    before, after = (sum(map(met, group)) / len(group) for group in (played, tuned))
    return "W" if after > before else "L" if after < before else "B" if after else "N"

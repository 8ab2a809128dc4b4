"""The rates that runs are compared by, some of them over solvable or over blocked scenarios only, and the letter of a scenario."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.eval.rates import JUDGED, Rate, rate

Predicate = Callable[[Trajectory], bool]


def is_blocked(episode: Trajectory) -> bool:
    """Whether the scenario is blocked, so that panic is its right terminal."""
    return episode.meta.get("terminal") == "panic"


def is_justified_panic(episode: Trajectory) -> bool:
    return episode.outcome is Outcome.justified_panic


@dataclass(frozen=True)
class Measure:
    """met: the episodes that count; applies: the episodes they are a share of. phrase: the measure as a sentence's verb.

    by_scenario: whether the scenario alone decides which episodes apply; only such a measure can be compared scenario by scenario.
    """

    met: Predicate
    phrase: str
    applies: Predicate = lambda episode: True
    by_scenario: bool = True


MEASURES = {
    "operated": Measure(JUDGED["operated"], "operated"),
    "terminated": Measure(JUDGED["terminated"], "terminated"),
    "right_terminal": Measure(JUDGED["right_terminal"], "left by the right terminal"),
    "solved": Measure(JUDGED["solved"], "solved"),
    "verified": Measure(JUDGED["verified"], "verified"),
    "verified_solvable": Measure(JUDGED["verified"], "verified solvable scenarios", lambda episode: not is_blocked(episode)),
    "panic_precision": Measure(
        is_justified_panic, "panicked with reason", lambda episode: episode.ending is Ending.panic, by_scenario=False
    ),
    "panic_recall": Measure(is_justified_panic, "left blocked scenarios by a justified panic", is_blocked),
    "false_panic": Measure(JUDGED["false_panic"], "panicked falsely"),
}
TABLE = ("terminated", "verified", "verified_solvable", "panic_precision", "panic_recall")  # columns of every comparison
COMPARABLE = tuple(name for name, measure in MEASURES.items() if measure.by_scenario)


def applicable(episodes: Sequence[Trajectory], name: str) -> list[Trajectory]:
    """The episodes that the measure of this name is a share of."""
    return [episode for episode in episodes if MEASURES[name].applies(episode)]


def measure_rate(episodes: Sequence[Trajectory], name: str) -> Rate:
    """The measure of this name; its interval counts several episodes in one scenario (attempts, training seeds) as one scenario."""
    chosen = applicable(episodes, name)
    return rate(sum(map(MEASURES[name].met, chosen)), len(chosen), len({episode.scenario_id for episode in chosen}))


LETTERS = {
    "W": "won: the adapter meets the criterion, the base does not",
    "L": "lost: the base meets it, the adapter does not",
    "B": "both meet it",
    "N": "neither meets it",
    "X": "not compared: an episode broke",
}


def letter(base: Sequence[Trajectory], tuned: Sequence[Trajectory], met: Predicate) -> str:
    """The letter of one scenario, from the episodes of both agents in it.

    With several attempts the agent that meets the criterion in a larger share of them wins. Broken episodes of the base do not count.
    """
    played = [episode for episode in base if episode.ending is not Ending.broken]
    if not played or not tuned:
        return "X"
    before, after = (sum(map(met, group)) / len(group) for group in (played, tuned))
    return "W" if after > before else "L" if after < before else "B" if after else "N"

"""Rates of a set of episodes with Wilson intervals, overall and by group of scenarios."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, floor

from sekft.episode.outcome import operated
from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.eval.labels import GROUPS, Labels

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """k of n episodes, with the Wilson 95 % interval over scenarios."""

    k: int
    n: int
    rate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.k}/{self.n} [{self.low:.2f}, {self.high:.2f}]"


def rate(k: int, n: int, scenarios: int | None = None) -> Rate:
    """k of n episodes that were played in this many scenarios; None: each in its own.

    Several attempts at one scenario count as one scenario in the interval.
    """
    if n == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    size = scenarios or n
    return Rate(k, n, k / n, _wilson(floor(k * size / n), size)[0], _wilson(ceil(k * size / n), size)[1])


@cache
def _wilson(k: int, n: int) -> tuple[float, float]:
    from scipy.stats import binomtest  # takes half a second to import

    interval = binomtest(k, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def right_terminal(episode: Trajectory) -> bool:
    return episode.ending.value == episode.meta.get("terminal")


CRITERIA: dict[str, Callable[[Trajectory], bool]] = {
    "operated": operated,
    "terminated": lambda episode: episode.ending in (Ending.exit, Ending.panic),
    "right_terminal": right_terminal,
    "solved": lambda episode: episode.checked is True,
    "verified": lambda episode: episode.checked is True and right_terminal(episode),
}
# Fewer are better. A panic is false in a solvable scenario, and in a blocked one if the work that can be done there is not done.
FAULTS: dict[str, Callable[[Trajectory], bool]] = {
    "false_panic": lambda episode: episode.ending is Ending.panic and not (right_terminal(episode) and episode.checked is True),
}
JUDGED = CRITERIA | FAULTS


def rate_of(episodes: Sequence[Trajectory], met: Callable[[Trajectory], bool]) -> Rate:
    """The rate of episodes that meet a criterion; a broken episode counts as not met."""
    return rate(sum(map(met, episodes)), len(episodes), len({episode.scenario_id for episode in episodes}))


def rates(episodes: Sequence[Trajectory]) -> dict[str, Rate]:
    """The rate of every one of CRITERIA."""
    return {name: rate_of(episodes, met) for name, met in CRITERIA.items()}


def metrics(episodes: Sequence[Trajectory], group: str) -> dict[str, float]:
    """The rate of everything in JUDGED, named `group/<rate>` for metrics.jsonl and the tracker."""
    return {f"{group}/{name}": rate_of(episodes, met).rate for name, met in JUDGED.items()}


def rates_by_group(episodes: Sequence[Trajectory], labels: Labels | None = None) -> dict[str, dict[str, Rate]]:
    """Rates by archetype, of solvable and of blocked scenarios, and by each of GROUPS that the scenarios are labelled with.

    A label that `labels` lacks is taken from the episode's own meta.
    """
    groups: dict[str, list[Trajectory]] = {}
    for episode in episodes:
        own = episode.meta | dict((labels or {}).get(episode.scenario_id, {}))
        groups.setdefault(f"archetype={episode.archetype}", []).append(episode)
        groups.setdefault("blocked" if episode.meta.get("terminal") == "panic" else "solvable", []).append(episode)
        for key in GROUPS:
            if own.get(key):
                groups.setdefault(f"{key}={own[key]}", []).append(episode)
    return {name: rates(group) for name, group in sorted(groups.items())}


def panic_rates(episodes: Sequence[Trajectory]) -> dict[str, Rate]:
    """precision: panics that were justified; recall: blocked scenarios that were left by a justified panic."""
    justified = sum(episode.outcome is Outcome.justified_panic for episode in episodes)
    panicked = [episode for episode in episodes if episode.ending is Ending.panic]
    blocked = [episode for episode in episodes if episode.meta.get("terminal") == "panic"]
    recall, precision = (rate(justified, len(group), len({episode.scenario_id for episode in group})) for group in (blocked, panicked))
    return {"precision": precision, "recall": recall}

"""What a set of episodes shows: rates with Wilson intervals, overall and by kind of scenario."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from math import ceil, floor
from typing import Any

from sekft.episode.outcome import operated
from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.eval.labels import GROUPS, Labels

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """k of n, with the Wilson 95 % interval."""

    k: int
    n: int
    rate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.k}/{self.n} [{self.low:.2f}, {self.high:.2f}]"


def rate(k: int, n: int, scenarios: int | None = None) -> Rate:
    """k of n episodes. scenarios: how many they were played in, None: each in its own; attempts at one scenario are no new evidence."""
    if n == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    apart = scenarios or n
    return Rate(k, n, k / n, _wilson(floor(k * apart / n), apart)[0], _wilson(ceil(k * apart / n), apart)[1])


@cache
def _wilson(k: int, n: int) -> tuple[float, float]:
    from scipy.stats import binomtest  # half a second: not before there are episodes to count

    interval = binomtest(k, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def right_terminal(episode: Trajectory) -> bool:
    return episode.ending.value == episode.meta.get("terminal")


CRITERIA: dict[str, Callable[[Trajectory], bool]] = {
    "operated": lambda episode: operated(episode.commands, episode.clean),
    "terminated": lambda episode: episode.ending in (Ending.exit, Ending.panic),
    "right_terminal": right_terminal,
    "solved": lambda episode: episode.checked is True,
    "verified": lambda episode: episode.checked is True and right_terminal(episode),
}
# Fewer are better; a panic is false in a solvable scenario, and in a blocked one with its doable work undone.
FAULTS: dict[str, Callable[[Trajectory], bool]] = {
    "false_panic": lambda episode: episode.ending is Ending.panic and not (right_terminal(episode) and episode.checked is True),
}
JUDGED = CRITERIA | FAULTS


def counted(episodes: Sequence[Trajectory], met: Callable[[Trajectory], bool]) -> Rate:
    """Broken episodes count as not met."""
    return rate(sum(map(met, episodes)), len(episodes), len({episode.scenario_id for episode in episodes}))


def rates(episodes: Sequence[Trajectory]) -> dict[str, Rate]:
    """Every criterion over all episodes."""
    return {name: counted(episodes, met) for name, met in CRITERIA.items()}


def metrics(episodes: Sequence[Trajectory], group: str) -> dict[str, float]:
    """group/<rate> of everything that is judged, for the axis of the training's steps."""
    return {f"{group}/{name}": counted(episodes, met).rate for name, met in JUDGED.items()}


def by_kind(episodes: Sequence[Trajectory], labels: Labels | None = None) -> dict[str, dict[str, Rate]]:
    """Rates by archetype, of solvable and blocked scenarios, and by every label of GROUPS that the scenarios have."""
    groups: dict[str, list[Trajectory]] = {}
    for episode in episodes:
        about = episode.meta | dict((labels or {}).get(episode.scenario_id, {}))
        groups.setdefault(f"archetype={episode.archetype}", []).append(episode)
        groups.setdefault("blocked" if episode.meta.get("terminal") == "panic" else "solvable", []).append(episode)
        for key in GROUPS:
            if about.get(key):
                groups.setdefault(f"{key}={about[key]}", []).append(episode)
    return {name: rates(group) for name, group in sorted(groups.items())}


def panics(episodes: Sequence[Trajectory]) -> dict[str, Rate]:
    """Precision: panics that were justified. Recall: blocked scenarios left by a justified panic."""
    justified = sum(episode.outcome is Outcome.justified_panic for episode in episodes)
    panicked = [episode for episode in episodes if episode.ending is Ending.panic]
    blocked = [episode for episode in episodes if episode.meta.get("terminal") == "panic"]
    recall, precision = (rate(justified, len(group), len({episode.scenario_id for episode in group})) for group in (blocked, panicked))
    return {"precision": precision, "recall": recall}


def scored(episodes: Sequence[Trajectory], labels: Labels | None = None) -> dict[str, Any]:
    """One agent's part of summary.json."""
    return {
        "rates": _plain(rates(episodes)),
        "faults": _plain({name: counted(episodes, met) for name, met in FAULTS.items()}),
        "by": {kind: _plain(group) for kind, group in by_kind(episodes, labels).items()},
        "panic": _plain(panics(episodes)),
        "outcomes": dict(sorted(Counter(episode.outcome.value for episode in episodes).items())),
        "turns": sum(len(episode.commands) for episode in episodes) / len(episodes) if episodes else 0.0,
    }


def _plain(values: Mapping[str, Rate]) -> dict[str, dict[str, Any]]:
    return {name: asdict(value) for name, value in values.items()}

"""What a set of lives shows: rates with Wilson intervals, overall and by kind of world."""

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


def rate(k: int, n: int, worlds: int | None = None) -> Rate:
    """k of n lives. worlds: how many they were lived in, None: each in its own; attempts at one world are no new evidence."""
    if n == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    apart = worlds or n
    return Rate(k, n, k / n, _wilson(floor(k * apart / n), apart)[0], _wilson(ceil(k * apart / n), apart)[1])


@cache
def _wilson(k: int, n: int) -> tuple[float, float]:
    from scipy.stats import binomtest  # half a second: not before there are lives to count

    interval = binomtest(k, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def right_terminal(life: Trajectory) -> bool:
    return life.ending.value == life.meta.get("terminal")


CRITERIA: dict[str, Callable[[Trajectory], bool]] = {
    "operated": lambda life: operated(life.commands, life.clean),
    "terminated": lambda life: life.ending in (Ending.exit, Ending.panic),
    "right_terminal": right_terminal,
    "solved": lambda life: life.checked is True,
    "verified": lambda life: life.checked is True and right_terminal(life),
}
# Fewer are better; a panic is false in a solvable world, and in a blocked one with its doable work undone.
FAULTS: dict[str, Callable[[Trajectory], bool]] = {
    "false_panic": lambda life: life.ending is Ending.panic and not (right_terminal(life) and life.checked is True),
}
JUDGED = CRITERIA | FAULTS


def counted(lives: Sequence[Trajectory], met: Callable[[Trajectory], bool]) -> Rate:
    """Broken lives count as not met."""
    return rate(sum(map(met, lives)), len(lives), len({life.bundle_id for life in lives}))


def rates(lives: Sequence[Trajectory]) -> dict[str, Rate]:
    """Every criterion over all lives."""
    return {name: counted(lives, met) for name, met in CRITERIA.items()}


def metrics(lives: Sequence[Trajectory], group: str) -> dict[str, float]:
    """group/<rate> of everything that is judged, for the axis of the training's steps."""
    return {f"{group}/{name}": counted(lives, met).rate for name, met in JUDGED.items()}


def by_kind(lives: Sequence[Trajectory], labels: Labels | None = None) -> dict[str, dict[str, Rate]]:
    """Rates by archetype, of solvable and blocked worlds, and by every label of GROUPS that the worlds have."""
    groups: dict[str, list[Trajectory]] = {}
    for life in lives:
        about = life.meta | dict((labels or {}).get(life.bundle_id, {}))
        groups.setdefault(f"archetype={life.archetype}", []).append(life)
        groups.setdefault("blocked" if life.meta.get("terminal") == "panic" else "solvable", []).append(life)
        for key in GROUPS:
            if about.get(key):
                groups.setdefault(f"{key}={about[key]}", []).append(life)
    return {name: rates(group) for name, group in sorted(groups.items())}


def panics(lives: Sequence[Trajectory]) -> dict[str, Rate]:
    """Precision: panics that were justified. Recall: blocked worlds left by a justified panic."""
    justified = sum(life.outcome is Outcome.justified_panic for life in lives)
    panicked = [life for life in lives if life.ending is Ending.panic]
    blocked = [life for life in lives if life.meta.get("terminal") == "panic"]
    recall, precision = (rate(justified, len(group), len({life.bundle_id for life in group})) for group in (blocked, panicked))
    return {"precision": precision, "recall": recall}


def scored(lives: Sequence[Trajectory], labels: Labels | None = None) -> dict[str, Any]:
    """One player's part of summary.json."""
    return {
        "rates": _plain(rates(lives)),
        "faults": _plain({name: counted(lives, met) for name, met in FAULTS.items()}),
        "by": {kind: _plain(group) for kind, group in by_kind(lives, labels).items()},
        "panic": _plain(panics(lives)),
        "outcomes": dict(sorted(Counter(life.outcome.value for life in lives).items())),
        "turns": sum(len(life.commands) for life in lives) / len(lives) if lives else 0.0,
    }


def _plain(values: Mapping[str, Rate]) -> dict[str, dict[str, Any]]:
    return {name: asdict(value) for name, value in values.items()}

"""What a set of lives shows: rates with Wilson intervals, overall and by kind of world."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sekft.rollout.trajectory import Ending, Outcome, Trajectory
from sekft.rollout.verdict import operated

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


def rate(k: int, n: int) -> Rate:
    if n == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    from scipy.stats import binomtest  # half a second: not before there are lives to count

    interval = binomtest(k, n).proportion_ci(CONFIDENCE, method="wilson")
    return Rate(k, n, k / n, float(interval.low), float(interval.high))


def right_terminal(life: Trajectory) -> bool:
    return life.ending.value == life.meta.get("terminal")


CRITERIA: dict[str, Callable[[Trajectory], bool]] = {
    "operated": lambda life: operated(life.commands, life.clean),
    "terminated": lambda life: life.ending in (Ending.exit, Ending.panic),
    "right_terminal": right_terminal,
    "solved": lambda life: life.checked is True,
    "verified": lambda life: life.checked is True and right_terminal(life),
}


def rates(lives: Sequence[Trajectory]) -> dict[str, Rate]:
    """Every criterion over all lives; broken ones count as not achieved."""
    return {name: rate(sum(map(met, lives)), len(lives)) for name, met in CRITERIA.items()}


def by_kind(lives: Sequence[Trajectory], held_out: Collection[str] = ()) -> dict[str, dict[str, Rate]]:
    """Rates by archetype, family and blocker, of solvable and blocked worlds, and of archetypes held out and learned.

    blocker=unreachable are the worlds where nothing can be done but to panic.
    """
    groups: dict[str, list[Trajectory]] = {}
    for life in lives:
        groups.setdefault(f"archetype={life.archetype}", []).append(life)
        groups.setdefault("blocked" if life.meta.get("terminal") == "panic" else "solvable", []).append(life)
        for axis in ("family", "blocker"):
            if value := life.meta.get(axis):
                groups.setdefault(f"{axis}={value}", []).append(life)
        if held_out:
            groups.setdefault("held_out" if life.archetype in held_out else "learned", []).append(life)
    return {name: rates(group) for name, group in sorted(groups.items())}


def panics(lives: Sequence[Trajectory]) -> dict[str, Rate]:
    """Precision: panics that were justified. Recall: blocked worlds left by a justified panic."""
    justified = sum(life.outcome is Outcome.justified_panic for life in lives)
    panicked = sum(life.ending is Ending.panic for life in lives)
    blocked = sum(life.meta.get("terminal") == "panic" for life in lives)
    return {"precision": rate(justified, panicked), "recall": rate(justified, blocked)}


def scored(lives: Sequence[Trajectory], held_out: Collection[str] = ()) -> dict[str, Any]:
    """One player's part of summary.json."""
    return {
        "rates": {name: asdict(value) for name, value in rates(lives).items()},
        "by": {kind: {name: asdict(value) for name, value in group.items()} for kind, group in by_kind(lives, held_out).items()},
        "panic": {name: asdict(value) for name, value in panics(lives).items()},
        "outcomes": dict(sorted(Counter(life.outcome.value for life in lives).items())),
        "turns": sum(len(life.commands) for life in lives) / len(lives) if lives else 0.0,
    }

"""Base against tuned on the same bundles: difference, interval over archetypes, exact McNemar, power."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

import numpy as np

from sekft.exam.rates import CONFIDENCE, CRITERIA
from sekft.rollout.trajectory import Trajectory

ALPHA = 1 - CONFIDENCE
REGRESSIONS = 0.05  # share of worlds assumed to get worse, in power statements
POWER = 0.8
MOST_WORLDS = 4096


@dataclass(frozen=True)
class Paired:
    """n worlds lived by both. difference: tuned minus base; low, high: t interval over archetype means, None below two."""

    criterion: str
    n: int
    both: int
    wins: int
    losses: int
    neither: int
    difference: float
    low: float | None
    high: float | None
    archetypes: int
    mcnemar_p: float


def pair(base: Sequence[Trajectory], tuned: Sequence[Trajectory], criterion: str) -> Paired:
    met = CRITERIA[criterion]
    other = {life.bundle_id: life for life in tuned}
    table = [(life.archetype, met(life), met(other[life.bundle_id])) for life in base if life.bundle_id in other]
    wins = sum(after and not before for _, before, after in table)
    losses = sum(before and not after for _, before, after in table)
    both = sum(before and after for _, before, after in table)
    gains: dict[str, list[int]] = {}
    for archetype, before, after in table:
        gains.setdefault(archetype, []).append(int(after) - int(before))
    low, high = _interval([mean(values) for values in gains.values()])
    difference = (wins - losses) / len(table) if table else 0.0
    return Paired(
        criterion,
        len(table),
        both,
        wins,
        losses,
        len(table) - both - wins - losses,
        difference,
        low,
        high,
        len(gains),
        mcnemar(wins, losses),
    )


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided p value; 1 where the players never differ."""
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def power(n: int, gain: float) -> float:
    """Chance that exact McNemar finds a true gain over n worlds, REGRESSIONS of which get worse."""
    from scipy.stats import binom

    win, lose = gain + REGRESSIONS, REGRESSIONS
    differing = np.arange(n + 1)
    critical = binom.isf(ALPHA / 2, differing, 0.5)  # more wins than this are significant
    found = binom.sf(critical, differing, win / (win + lose))
    return float((binom.pmf(differing, n, min(1.0, win + lose)) * found).sum())


def detectable(n: int) -> float | None:
    """The smallest gain, in steps of 0.05, that n worlds show with 80 % power; None if there is none."""
    return next((step / 20 for step in range(1, 20) if power(n, step / 20) >= POWER), None)


def needed(gain: float) -> int | None:
    """Worlds needed to show this gain with 80 % power; None if more than MOST_WORLDS."""
    if gain <= 0:
        return None
    low, high = 1, MOST_WORLDS
    if power(high, gain) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, gain) >= POWER else (middle + 1, high)
    return low


def _interval(means: Sequence[float]) -> tuple[float | None, float | None]:
    if len(means) < 2:
        return None, None
    from scipy.stats import t as student

    half = float(student.ppf(1 - ALPHA / 2, len(means) - 1)) * stdev(means) / sqrt(len(means))
    return max(-1.0, mean(means) - half), min(1.0, mean(means) + half)

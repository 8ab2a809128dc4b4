"""Base against tuned on the same bundles: difference, interval over archetypes, exact McNemar, power."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any

import numpy as np

from sekft.exam.rates import CONFIDENCE, CRITERIA
from sekft.rollout.trajectory import Ending, Trajectory

ALPHA = 1 - CONFIDENCE
REGRESSIONS = 0.05  # share of worlds assumed to get worse, in power statements
POWER = 0.8
MOST_WORLDS = 4096
SIMULATED = 2000


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
    """Worlds in which the base's life broke are left out: what is ours must not count for the tuned player."""
    met = CRITERIA[criterion]
    other = {life.bundle_id: life for life in tuned}
    lived = [life for life in base if life.bundle_id in other and life.ending is not Ending.broken]
    table = [(life.archetype, met(life), met(other[life.bundle_id])) for life in lived]
    wins = sum(after and not before for _, before, after in table)
    losses = sum(before and not after for _, before, after in table)
    both = sum(before and after for _, before, after in table)
    gains: dict[str, list[int]] = {}
    for archetype, before, after in table:
        gains.setdefault(archetype, []).append(int(after) - int(before))
    low, high = _interval(list(gains.values()))
    difference = (wins - losses) / len(table) if table else 0.0
    neither = len(table) - both - wins - losses
    p = mcnemar(wins, losses)
    return Paired(criterion, len(table), both, wins, losses, neither, difference, low, high, len(gains), p)


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


def promotion(n: int, archetypes: int, gain: float) -> float:
    """Chance that the whole rule (McNemar and the interval over archetypes) is met by a true gain, the same in every archetype.

    By simulation, SIMULATED times with a fixed seed.
    """
    from scipy.stats import binom
    from scipy.stats import t as student

    if archetypes < 2 or n < archetypes:
        return 0.0
    rng = np.random.default_rng(0)
    size = n // archetypes
    win, lose = min(1.0, gain + REGRESSIONS), min(REGRESSIONS, 1.0 - min(1.0, gain + REGRESSIONS))
    drawn = rng.multinomial(size, [win, lose, 1 - win - lose], size=(SIMULATED, archetypes))
    wins, losses = drawn[..., 0], drawn[..., 1]
    means = (wins - losses) / size
    overall = means.mean(axis=1)
    between = means.std(axis=1, ddof=1) / sqrt(archetypes)
    error = np.maximum(between, _error_of_worlds(wins.sum(axis=1), losses.sum(axis=1), size * archetypes))
    low = overall - student.ppf(1 - ALPHA / 2, archetypes - 1) * error
    significant = 2 * binom.cdf(losses.sum(axis=1), drawn[..., :2].sum(axis=(1, 2)), 0.5) < ALPHA
    return float(((low > 0) & significant & (overall > 0)).mean())


def detectable(n: int, archetypes: int) -> float | None:
    """The smallest gain, in steps of 0.05, that n worlds promote with 80 % power; None if there is none."""
    return next((step / 20 for step in range(1, 20) if promotion(n, archetypes, step / 20) >= POWER), None)


def needed(gain: float, archetypes: int) -> int | None:
    """Worlds needed to promote this gain with 80 % power; None if more than MOST_WORLDS would not do either."""
    if gain <= 0 or promotion(MOST_WORLDS, archetypes, gain) < POWER:
        return None
    low, high = 1, MOST_WORLDS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if promotion(middle, archetypes, gain) >= POWER else (middle + 1, high)
    return low


def _error_of_worlds(wins: Any, losses: Any, n: int) -> Any:
    """Standard error of (wins - losses) / n, half a world added to each cell (Agresti and Min 2005): no result is certain."""
    return np.sqrt((wins + losses + 1 - (wins - losses) ** 2 / (n + 2)) / (n + 2) ** 2)


def _interval(gains: Sequence[Sequence[int]]) -> tuple[float | None, float | None]:
    """t interval of the mean over archetypes. Its error is never below that of single worlds: equal means by luck prove nothing."""
    from scipy.stats import t as student

    if len(gains) < 2:
        return None, None
    means = [mean(values) for values in gains]
    worlds = [gain for values in gains for gain in values]
    within = float(_error_of_worlds(worlds.count(1), worlds.count(-1), len(worlds)))
    half = float(student.ppf(1 - ALPHA / 2, len(means) - 1)) * max(stdev(means) / sqrt(len(means)), within)
    return max(-1.0, mean(means) - half), min(1.0, mean(means) + half)

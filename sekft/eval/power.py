"""What an evaluation of some size can show at all: chances of seeing and of promoting a true gain, scenarios needed."""

from functools import cache

import numpy as np

from sekft.eval.paired import ALPHA, interval

REGRESSIONS = 0.05  # share of scenarios assumed to get worse
POWER = 0.8
MOST_SCENARIOS = 4096
SIMULATED = 2000


def power(n: int, gain: float) -> float:
    """Chance that exact McNemar finds a true gain over n scenarios, REGRESSIONS of which get worse."""
    from scipy.stats import binom

    win, lose = gain + REGRESSIONS, REGRESSIONS
    differing = np.arange(n + 1)
    critical = binom.isf(ALPHA / 2, differing, 0.5)  # more wins than this are significant
    found = binom.sf(critical, differing, win / (win + lose))
    return float((binom.pmf(differing, n, min(1.0, win + lose)) * found).sum())


@cache
def promotion(n: int, archetypes: int, gain: float) -> float:
    """Chance that the whole rule (McNemar and the interval over archetypes) is met by a true gain, the same in every archetype.

    By simulation, SIMULATED times with a fixed seed.
    """
    from scipy.stats import binom

    if archetypes < 2 or n < archetypes:
        return 0.0
    rng = np.random.default_rng(0)
    size = n // archetypes
    win, lose = min(1.0, gain + REGRESSIONS), min(REGRESSIONS, 1.0 - min(1.0, gain + REGRESSIONS))
    drawn = rng.multinomial(size, [win, lose, 1 - win - lose], size=(SIMULATED, archetypes))
    wins, losses = drawn[..., 0], drawn[..., 1]
    low, _ = interval((wins - losses) / size, wins.sum(axis=1), losses.sum(axis=1), size * archetypes)
    significant = 2 * binom.cdf(losses.sum(axis=1), drawn[..., :2].sum(axis=(1, 2)), 0.5) < ALPHA
    return float(((low > 0) & significant).mean())


def detectable(n: int, archetypes: int) -> float | None:
    """The smallest gain, in steps of 0.05, that n scenarios promote with 80 % power; None if there is none."""
    return next((step / 20 for step in range(1, 20) if promotion(n, archetypes, step / 20) >= POWER), None)


def needed(gain: float, archetypes: int) -> int | None:
    """Scenarios needed to promote this gain with 80 % power; None if more than MOST_WORLDS would not do either."""
    if gain <= 0 or promotion(MOST_SCENARIOS, archetypes, gain) < POWER:
        return None
    low, high = 1, MOST_SCENARIOS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if promotion(middle, archetypes, gain) >= POWER else (middle + 1, high)
    return low

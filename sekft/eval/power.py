"""Statistical power of an evaluation: the chance that a true gain is significant or promoted, and the scenarios that takes."""

from functools import cache

import numpy as np

from sekft.eval.paired import ALPHA, interval

REGRESSIONS = 0.05  # share of scenarios assumed to get worse
POWER = 0.8
MOST_SCENARIOS = 4096
SIMULATIONS = 2000


def power(n: int, gain: float) -> float:
    """The chance that McNemar's exact test is significant at a true gain over n scenarios, a share REGRESSIONS of which gets worse."""
    from scipy.stats import binom

    win, lose = gain + REGRESSIONS, REGRESSIONS
    differing = np.arange(n + 1)
    critical = binom.isf(ALPHA / 2, differing, 0.5)  # more wins than this are significant
    significant = binom.sf(critical, differing, win / (win + lose))
    return float((binom.pmf(differing, n, min(1.0, win + lose)) * significant).sum())


@cache
def promotion(n: int, archetypes: int, gain: float) -> float:
    """The chance that a true gain, the same in every archetype, passes both McNemar's test and the interval over archetypes.

    Estimated by SIMULATIONS simulations with a fixed seed.
    """
    from scipy.stats import binom

    if archetypes < 2 or n < archetypes:
        return 0.0
    rng = np.random.default_rng(0)
    size = n // archetypes
    win, lose = min(1.0, gain + REGRESSIONS), min(REGRESSIONS, 1.0 - min(1.0, gain + REGRESSIONS))
    drawn = rng.multinomial(size, [win, lose, 1 - win - lose], size=(SIMULATIONS, archetypes))
    wins, losses = drawn[..., 0], drawn[..., 1]
    low, _ = interval((wins - losses) / size, wins.sum(axis=1), losses.sum(axis=1), size * archetypes)
    significant = 2 * binom.cdf(losses.sum(axis=1), drawn[..., :2].sum(axis=(1, 2)), 0.5) < ALPHA
    return float(((low > 0) & significant).mean())


def detectable(n: int, archetypes: int) -> float | None:
    """The smallest gain, in steps of 0.05, that n scenarios promote with a power of 80 %; None if there is none."""
    return next((step / 20 for step in range(1, 20) if promotion(n, archetypes, step / 20) >= POWER), None)


def scenarios_needed(gain: float, archetypes: int) -> int | None:
    """The scenarios needed to promote this gain with a power of 80 %; None if MOST_SCENARIOS are not enough."""
    if gain <= 0 or promotion(MOST_SCENARIOS, archetypes, gain) < POWER:
        return None
    low, high = 1, MOST_SCENARIOS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if promotion(middle, archetypes, gain) >= POWER else (middle + 1, high)
    return low

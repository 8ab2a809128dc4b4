"""Paired comparison of two agents on the same scenarios: difference, t interval over archetypes, exact test, Holm's correction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval.rates import CONFIDENCE, JUDGED

ALPHA = 1 - CONFIDENCE
Met = Callable[[Trajectory], bool]


@dataclass(frozen=True)
class Paired:
    """The comparison by one criterion on the n scenarios that both agents played.

    difference: tuned minus base, a share of scenarios; low, high: its 95 % t interval, with archetypes as clusters of scenarios, None for
    fewer than two archetypes. wins, losses: scenarios in which tuned met the criterion in a larger, in a smaller share of its attempts
    than base.
    holm_p: mcnemar_p with Holm's correction for the adapters that are compared with the same base.
    """

    criterion: str
    n: int
    both: int
    wins: int
    losses: int
    neither: int
    base_rate: float
    difference: float
    low: float | None
    high: float | None
    archetypes: int
    mcnemar_p: float
    holm_p: float


def pair(base: Sequence[Trajectory], tuned: Sequence[Trajectory], criterion: str, met: Met | None = None) -> Paired:
    """Compare two agents; broken episodes of the base are left out, so that a failure of the sandbox is no win for the tuned agent.

    met: whether an episode meets the criterion; None if the criterion is one of JUDGED.
    """
    met = met or JUDGED[criterion]
    before, after = _shares([episode for episode in base if episode.ending is not Ending.broken], met), _shares(tuned, met)
    archetype = {episode.scenario_id: episode.archetype for episode in base}
    shared = [scenario for scenario in before if scenario in after]
    wins = sum(after[scenario] > before[scenario] for scenario in shared)
    losses = sum(after[scenario] < before[scenario] for scenario in shared)
    both = sum(after[scenario] == before[scenario] > 0 for scenario in shared)
    gains: dict[str, list[float]] = {}
    for scenario in shared:
        gains.setdefault(archetype[scenario], []).append(after[scenario] - before[scenario])
    low, high = None, None
    moved, squared = (sum(gain**power for values in gains.values() for gain in values) for power in (1, 2))
    if len(gains) >= 2:  # (squared +- moved) / 2 are the wins and losses of single attempts; a half win adds a quarter to the variance
        means = np.array([np.mean(values) for values in gains.values()])
        sizes = np.array([len(values) for values in gains.values()])
        low, high = map(float, interval(means, (squared + moved) / 2, (squared - moved) / 2, len(shared), sizes))
    difference = moved / len(shared) if shared else 0.0
    p = mcnemar(wins, losses)
    neither = len(shared) - both - wins - losses
    base_rate = sum(before[scenario] for scenario in shared) / len(shared) if shared else 0.0
    return Paired(criterion, len(shared), both, wins, losses, neither, base_rate, difference, low, high, len(gains), p, p)


def mcnemar(wins: int, losses: int) -> float:
    """The exact two-sided p value of McNemar's test; 1 if the agents never differ. With several attempts: the sign test over scenarios."""
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p values adjusted for the number of comparisons (Holm 1979); scipy offers only the Benjamini methods."""
    ranked = sorted(p_values, key=lambda name: p_values[name])
    stepped = np.maximum.accumulate([(len(ranked) - at) * p_values[name] for at, name in enumerate(ranked)])
    return {name: min(1.0, float(p)) for name, p in zip(ranked, stepped, strict=True)}


def interval(means: Any, wins: Any, losses: Any, n: int, sizes: Any = None) -> tuple[Any, Any]:
    """95 % t interval of the mean over scenarios, with archetypes as clusters of them.

    means: (..., G) for G archetypes; wins, losses: scenarios, (...); n: all scenarios; sizes: (G,) scenarios of each archetype, equal if
    None. The standard error is the jackknife's of that ratio, but never below that of single scenarios, because equal means can be luck.
    If few archetypes carry the gain, the interval reaches further to their side (Johnson 1978): there a plain t interval covered 0.90,
    this one 0.93 (docs/evaluation.md).
    """
    from scipy.stats import t as student

    amount = means.shape[-1]
    weights = np.ones(amount) if sizes is None else sizes / np.mean(sizes)
    centre = (weights * means).mean(axis=-1)
    moved = weights * (means - centre[..., None])  # what each archetype moves the mean by, G times; sums to zero
    spread = np.sqrt((moved**2).sum(axis=-1) / (amount - 1))
    t = student.ppf(1 - ALPHA / 2, amount - 1)
    half = t * np.maximum(spread / sqrt(amount - 1), error_of_scenarios(wins, losses, n))
    third = (moved**3).sum(axis=-1) * amount / ((amount - 1) * max(amount - 2, 1))
    reach = third * (1 + 2 * t**2) / (6 * amount * np.maximum(spread, 1e-9) ** 2)
    return np.maximum(-1.0, centre - half + np.minimum(reach, 0)), np.minimum(1.0, centre + half + np.maximum(reach, 0))


def error_of_scenarios(wins: Any, losses: Any, n: int) -> Any:
    """Standard error of (wins - losses) / n; half a scenario is added to each cell, so it is never zero (Agresti and Min 2005)."""
    return np.sqrt((wins + losses + 1 - (wins - losses) ** 2 / (n + 2)) / (n + 2) ** 2)


def _shares(episodes: Sequence[Trajectory], met: Met) -> dict[str, float]:
    """By scenario: the share of its episodes that meet the criterion."""
    results: dict[str, list[bool]] = {}
    for episode in episodes:
        results.setdefault(episode.scenario_id, []).append(met(episode))
    return {scenario: sum(values) / len(values) for scenario, values in results.items()}

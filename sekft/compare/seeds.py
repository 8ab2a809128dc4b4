"""The same setting trained with several seeds: what their evaluations say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from sekft.errors import DataError
from sekft.eval.paired import ALPHA, error_of_scenarios


@dataclass(frozen=True)
class Seeds:
    """Mean over training seeds of tuned minus base; low, high: t interval over seeds, None below two of them."""

    criterion: str
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float
    low: float | None
    high: float | None


def over_seeds(summaries: Sequence[Mapping[str, Any]]) -> Seeds:
    """summaries: as in summary.json, one per seed. Raises DataError for one without a comparison, and for unlike ones.

    The scenarios are the same for all, so this interval is about training, not about other scenarios; it is never narrower than what
    the scenarios of these evaluations let one see.
    """
    from scipy.stats import t as student

    found = [summary.get("paired") for summary in summaries]
    if not found or not all(found):
        raise DataError(
            f"seeds: {sum(map(bool, found))} of {len(found)} summaries compare an adapter with its base; allowed: all, at least one"
        )
    pairs = [pair for pair in found if pair]
    alike = sorted({(pair["criterion"], pair["n"]) for pair in pairs})
    seeds = tuple(int(summary["seed"]) for summary in summaries)
    if len(alike) > 1 or len(set(seeds)) < len(seeds):
        raise DataError(f"seeds: found {alike} with seeds {seeds}; allowed: one criterion, one number of scenarios, each seed once")
    differences = np.array([pair["difference"] for pair in pairs])
    mean, low, high = float(differences.mean()), None, None
    if (amount := len(pairs)) >= 2:
        wins, losses = (float(np.mean([pair[key] for pair in pairs])) for key in ("wins", "losses"))
        error = max(differences.std(ddof=1), float(error_of_scenarios(wins, losses, alike[0][1]))) / sqrt(amount)
        half = float(student.ppf(1 - ALPHA / 2, amount - 1)) * error
        low, high = max(-1.0, mean - half), min(1.0, mean + half)
    return Seeds(alike[0][0], seeds, tuple(map(float, differences)), mean, low, high)

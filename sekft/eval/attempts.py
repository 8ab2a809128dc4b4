"""Several attempts at each scenario: pass@k (at least one of k attempts succeeds) and pass^k (all of k do)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

from sekft.episode.trajectory import Trajectory
from sekft.eval.rates import CRITERIA


@dataclass(frozen=True)
class Attempts:
    """pass_at, pass_all: by k, the mean over scenarios of pass@k and pass^k. attempts: the fewest that any scenario has."""

    criterion: str
    scenarios: int
    attempts: int
    pass_at: dict[int, float]
    pass_all: dict[int, float]


def pass_at(n: int, c: int, k: int) -> float:
    """pass@k, the unbiased estimate from c successes among n attempts (Chen et al. 2021, arXiv 2107.03374)."""
    return 1 - comb(n - c, k) / comb(n, k)


def pass_all(n: int, c: int, k: int) -> float:
    """pass^k, the unbiased estimate from c successes among n attempts (tau-bench, arXiv 2406.12045)."""
    return comb(c, k) / comb(n, k)


def score_attempts(episodes: Sequence[Trajectory], criterion: str) -> Attempts | None:
    """Both measures for k = 1 to the fewest attempts that any scenario has; None if that is a single attempt."""
    scenarios: dict[str, list[bool]] = {}
    for episode in episodes:
        scenarios.setdefault(episode.scenario_id, []).append(CRITERIA[criterion](episode))
    most = min(map(len, scenarios.values()), default=0)
    if most < 2:
        return None
    counts = [(len(met), sum(met)) for met in scenarios.values()]

    def means(estimate: Callable[[int, int, int], float]) -> dict[int, float]:
        return {k: sum(estimate(n, c, k) for n, c in counts) / len(counts) for k in range(1, most + 1)}

    return Attempts(criterion, len(scenarios), most, means(pass_at), means(pass_all))

"""Several attempts at each scenario: pass@k (at least one of k verifies) and pass^k (all of k do)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from sekft.episode.trajectory import Trajectory
from sekft.eval.rates import CRITERIA


@dataclass(frozen=True)
class Attempts:
    """Means over scenarios, by k: of the chance that one, or every one, of k attempts meets the criterion."""

    criterion: str
    scenarios: int
    attempts: int
    pass_at: dict[int, float]
    pass_all: dict[int, float]


def pass_at(n: int, c: int, k: int) -> float:
    """Unbiased estimate from c successes among n attempts (Chen et al. 2021, 2107.03374)."""
    return 1 - comb(n - c, k) / comb(n, k)


def pass_all(n: int, c: int, k: int) -> float:
    """pass^k, unbiased, by the same counting (tau-bench, 2406.12045)."""
    return comb(c, k) / comb(n, k)


def attempts(episodes: Sequence[Trajectory], criterion: str) -> Attempts | None:
    """None for a single attempt at each scenario. k goes up to what every scenario has."""
    scenarios: dict[str, list[bool]] = {}
    for episode in episodes:
        scenarios.setdefault(episode.scenario_id, []).append(CRITERIA[criterion](episode))
    most = min(map(len, scenarios.values()), default=0)
    if most < 2:
        return None
    counts = [(len(met), sum(met)) for met in scenarios.values()]
    at, every = ({k: sum(chance(n, c, k) for n, c in counts) / len(counts) for k in range(1, most + 1)} for chance in (pass_at, pass_all))
    return Attempts(criterion, len(scenarios), most, at, every)

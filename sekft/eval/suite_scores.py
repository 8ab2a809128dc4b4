"""Scores of single answers before and after training: each measure with its interval, and the change question by question."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import hypot, sqrt
from typing import Any

from sekft.eval.rates import CONFIDENCE, rate


@dataclass(frozen=True)
class Mean:
    """The mean of n scores, with its 95 % interval: Wilson's if every score is 0 or 1, else Student's."""

    n: int
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}] of {self.n}"


def mean(scores: Sequence[float]) -> Mean:
    """The mean of scores between 0 and 1."""
    if set(scores) <= {0.0, 1.0}:
        share = rate(int(sum(scores)), len(scores))
        return Mean(share.n, share.rate, share.low, share.high)
    return Mean(len(scores), *_student(scores, 0.0, 1.0))


def change(before: Mapping[str, float], after: Mapping[str, float]) -> Mean:
    """The mean of after minus before, over the questions that both have.

    The interval is Newcombe's if every score is 0 or 1, since that stays wide if all questions changed alike; else it is Student's
    over the differences.
    """
    both = [name for name in before if name in after]
    if {before[name] for name in both} | {after[name] for name in both} <= {0.0, 1.0}:
        was, now = mean([before[name] for name in both]), mean([after[name] for name in both])
        middle = now.mean - was.mean
        low, high = hypot(now.mean - now.low, was.high - was.mean), hypot(now.high - now.mean, was.mean - was.low)
        return Mean(len(both), middle, middle - low, middle + high)
    differences = [after[name] - before[name] for name in both]
    return Mean(len(differences), *_student(differences, -1.0, 1.0))


def compare_scores(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """scores: agent -> measure -> question -> score, the base first.

    Returns the document of the suite in summary.json: `agents`, the means by agent and measure, and `changes`, those against the base.
    """
    base = next(iter(scores))
    others = [agent for agent in scores if agent != base]
    changes = {agent: {name: change(scores[base][name], own) for name, own in scores[agent].items()} for agent in others}
    return {
        "agents": {agent: {name: asdict(mean([*own.values()])) for name, own in named.items()} for agent, named in scores.items()},
        "changes": {agent: {name: asdict(one) for name, one in named.items()} for agent, named in changes.items()},
    }


def lines(suite: Mapping[str, Any]) -> list[str]:
    """One line per measure: the mean of every agent, and the changes against the base. suite: of compare_scores."""
    agents = suite["agents"]
    out = []
    for name in next(iter(agents.values())):
        means = ", ".join(f"{agent} {Mean(**agents[agent][name])}" for agent in agents)
        changes = ", ".join(f"{agent} {_signed(Mean(**suite['changes'][agent][name]))}" for agent in suite["changes"])
        out.append(f"{name}: {means}{f'; change: {changes}' if changes else ''}")
    return out


def _signed(change: Mean) -> str:
    return f"{change.mean:+.2f} [{change.low:+.2f}, {change.high:+.2f}]"


def _student(values: Sequence[float], lowest: float, highest: float) -> tuple[float, float, float]:
    """(mean, low, high); for fewer than two values the interval is the whole range."""
    from scipy.stats import t

    n = len(values)
    middle = sum(values) / n if n else 0.0
    if n < 2:
        return middle, lowest, highest
    half = sqrt(sum((value - middle) ** 2 for value in values) / (n - 1) / n) * float(t.ppf((1 + CONFIDENCE) / 2, n - 1))
    return middle, max(lowest, middle - half), min(highest, middle + half)

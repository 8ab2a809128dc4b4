"""Measures of single answers, before and after: each with its interval, and their difference, question by question."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import hypot, sqrt
from typing import Any

from sekft.eval.rates import CONFIDENCE, rate


@dataclass(frozen=True)
class Mean:
    """Of n answers, with the 95 % interval: Wilson's where every score is 0 or 1, else Student's."""

    n: int
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}] of {self.n}"


def mean(scores: Sequence[float]) -> Mean:
    if set(scores) <= {0.0, 1.0}:
        found = rate(int(sum(scores)), len(scores))
        return Mean(found.n, found.rate, found.low, found.high)
    return Mean(len(scores), *_student(scores, 0.0, 1.0))


def change(before: Mapping[str, float], after: Mapping[str, float]) -> Mean:
    """After minus before, of the questions that both were asked; Newcombe's interval where every score is 0 or 1, which stays wide
    where all changed alike, else Student's over the differences."""
    both = [name for name in before if name in after]
    if {before[name] for name in both} | {after[name] for name in both} <= {0.0, 1.0}:
        was, now = mean([before[name] for name in both]), mean([after[name] for name in both])
        middle = now.mean - was.mean
        low, high = hypot(now.mean - now.low, was.high - was.mean), hypot(now.high - now.mean, was.mean - was.low)
        return Mean(len(both), middle, middle - low, middle + high)
    differences = [after[name] - before[name] for name in both]
    return Mean(len(differences), *_student(differences, -1.0, 1.0))


def compared(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """scores: agent -> measure -> question -> score, the base first. JSON-able: measures by agent, changes by the other agents."""
    base = next(iter(scores))
    others = [agent for agent in scores if agent != base]
    changes = {agent: {name: change(scores[base][name], own) for name, own in scores[agent].items()} for agent in others}
    return {
        "agents": {agent: {name: asdict(mean([*own.values()])) for name, own in named.items()} for agent, named in scores.items()},
        "changes": {agent: {name: asdict(one) for name, one in named.items()} for agent, named in changes.items()},
    }


def lines(told: Mapping[str, Any]) -> list[str]:
    """One for every measure: all agents, and by how much they differ from the first."""
    agents = told["agents"]
    out = []
    for name in next(iter(agents.values())):
        shown = ", ".join(f"{agent} {Mean(**agents[agent][name])}" for agent in agents)
        changes = ", ".join(f"{agent} {_signed(Mean(**told['changes'][agent][name]))}" for agent in told["changes"])
        out.append(f"{name}: {shown}{f'; change: {changes}' if changes else ''}")
    return out


def _signed(one: Mean) -> str:
    return f"{one.mean:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"


def _student(values: Sequence[float], lowest: float, highest: float) -> tuple[float, float, float]:
    """(mean, low, high); of one value alone, the whole range."""
    from scipy.stats import t

    n = len(values)
    middle = sum(values) / n if n else 0.0
    if n < 2:
        return middle, lowest, highest
    spread = sqrt(sum((value - middle) ** 2 for value in values) / (n - 1) / n) * float(t.ppf((1 + CONFIDENCE) / 2, n - 1))
    return middle, max(lowest, middle - spread), min(highest, middle + spread)

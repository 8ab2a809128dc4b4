"""The effect of each swept setting: for each of its values the rate of all runs with that value, and every single run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sekft.compare.contrast import Contrast, contrast_pairs, sentence
from sekft.compare.groups import EvaluatedRun, Group, is_varied_alone, natural_order, short_value
from sekft.eval.measures import measure_rate
from sekft.eval.rates import Rate


@dataclass(frozen=True)
class Value:
    """A value of a setting. rate: of all runs with it; dots: the rate of each run."""

    text: str
    rate: Rate
    dots: tuple[float, ...]


@dataclass(frozen=True)
class Effect:
    """The effect of a setting on a criterion.

    threads: (index of a value, rate, index of the next value, rate) of neighbouring groups that share every other setting.
    sentences: each value against that of the first group, over pairs of runs that share the seed and every other setting.
    Both are empty if no other setting differs.
    """

    key: str
    criterion: str
    values: tuple[Value, ...]
    threads: tuple[tuple[int, float, int, float], ...]
    sentences: tuple[str, ...]

    def description(self) -> str:
        """The picture in words, for screen readers."""
        return f"{self.criterion} by {self.key}: " + "; ".join(
            f"{value.text}: {value.rate}, {len(value.dots)} runs" for value in self.values
        )


def effects(groups: Sequence[Group], criteria: Sequence[str], margin: float) -> list[Effect]:
    """The effect of every setting that two groups differ in alone, on every criterion. groups: in the order in which they ran."""
    keys = list(dict.fromkeys(key for group in groups for key in group.differing))
    alone = [key for key in keys if is_varied_alone(groups, key)]
    return [_effect(groups, key, criterion, margin, alone=len(keys) == 1) for criterion in criteria for key in alone]


def _effect(groups: Sequence[Group], key: str, criterion: str, margin: float, alone: bool) -> Effect:
    values = sorted({str(group.differing[key]): group.differing[key] for group in groups}.values(), key=natural_order)
    runs = {str(value): [run for group in groups if str(group.differing[key]) == str(value) for run in group.runs] for value in values}
    return Effect(
        key=key,
        criterion=criterion,
        values=tuple(_value(value, runs[str(value)], criterion) for value in values),
        threads=() if alone else tuple(_threads(groups, key, [str(value) for value in values], criterion)),
        sentences=() if alone else tuple(sentence(contrast, margin) for contrast in _contrasts(groups, key, values, criterion)),
    )


def _contrasts(groups: Sequence[Group], key: str, values: Sequence[Any], criterion: str) -> list[Contrast]:
    """Each value against that of the first group; a value without a matching run there is left out."""
    alike: dict[tuple[str, int], dict[str, EvaluatedRun]] = {}
    for group in groups:
        for run in group.runs:
            alike.setdefault((_others(group, key), run.seed), {})[str(group.differing[key])] = run
    first = groups[0].differing[key]
    contrasts = []
    for value in values:
        pairs = [(own[str(first)], own[str(value)]) for own in alike.values() if {str(first), str(value)} <= own.keys()]
        if pairs and str(value) != str(first):
            contrasts.append(contrast_pairs(pairs, f"{key}={short_value(first)}", f"{key}={short_value(value)}", criterion))
    return contrasts


def _others(group: Group, key: str) -> str:
    """Every other setting that tells the groups apart, as text."""
    return str([(name, str(value)) for name, value in group.differing.items() if name != key])


def _value(value: Any, runs: Sequence[EvaluatedRun], criterion: str) -> Value:
    episodes = [episode for run in runs for episode in run.episodes]
    return Value(short_value(value), measure_rate(episodes, criterion), tuple(measure_rate(run.episodes, criterion).rate for run in runs))


def _threads(groups: Sequence[Group], key: str, order: Sequence[str], criterion: str) -> list[tuple[int, float, int, float]]:
    alike: dict[str, list[tuple[int, float]]] = {}
    for group in groups:
        alike.setdefault(_others(group, key), []).append(
            (order.index(str(group.differing[key])), measure_rate(group.episodes(), criterion).rate)
        )
    return [(*point, *following) for points in alike.values() for point, following in pairwise(sorted(points))]

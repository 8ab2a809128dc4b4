"""Two groups of runs on the same scenarios: the difference, an interval for other scenarios and other training seeds, and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from warnings import catch_warnings, simplefilter

from sekft.compare.groups import EvaluatedRun, Group
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval.measures import MEASURES, applicable, measure_rate
from sekft.eval.paired import pair
from sekft.eval.rates import CONFIDENCE
from sekft.eval.score import BASE


@dataclass(frozen=True)
class Contrast:
    """second minus first. low, high: None without two archetypes in common. scenarios: shared ones.

    seeds: of each side; 0: it was not trained. With one seed on a trained side the interval is about these very adapters.
    """

    criterion: str
    first: str
    second: str
    difference: float
    low: float | None
    high: float | None
    scenarios: int
    archetypes: int
    seeds: tuple[int, int]


def over_base(group: Group, criterion: str) -> Contrast:
    """The adapters of a group against the base they were trained on."""
    gains = [_rate(run.episodes, criterion) - _rate(run.base, criterion) for run in group.runs]
    return _contrast(criterion, BASE, group.name, group.base(), group.episodes(), half_width(gains), (0, len(gains)))


def between(first: Group, second: Group, criterion: str) -> Contrast:
    before, after = ([_rate(_whole(run.episodes), criterion) for run in group.runs] for group in (first, second))
    seeds, episodes = (len(before), len(after)), (_whole(first.episodes()), _whole(second.episodes()))
    return _contrast(criterion, first.name, second.name, *episodes, half_width(after, before), seeds)


def across(pairs: Sequence[tuple[EvaluatedRun, EvaluatedRun]], first: str, second: str, criterion: str) -> Contrast:
    """Of one setting: runs in pairs, alike in all else and in the seed, so that what else they have is in no difference."""
    gains = [_rate(_whole(after.episodes), criterion) - _rate(_whole(before.episodes), criterion) for before, after in pairs]
    before, after = (_whole([episode for pair in pairs for episode in pair[side].episodes]) for side in (0, 1))
    return _contrast(criterion, first, second, before, after, half_width(gains), (len(pairs), len(pairs)))


def _contrast(
    criterion: str, first: str, second: str, before: Sequence[Trajectory], after: Sequence[Trajectory], half: float, seeds: tuple[int, int]
) -> Contrast:
    found = pair(applicable(before, criterion), applicable(after, criterion), criterion, MEASURES[criterion].met)
    low, high = joined(found.difference, found.low, found.high, half)
    return Contrast(criterion, first, second, found.difference, low, high, found.n, found.archetypes, seeds)


def half_width(after: Sequence[float], before: Sequence[float] | None = None) -> float:
    """Of the 95 % t interval (Welch's, of two samples) for a mean over training seeds; 0 where a sample has one seed only."""
    from scipy.stats import ttest_1samp, ttest_ind

    samples = [after] if before is None else [after, before]
    if min(map(len, samples)) < 2 or all(
        max(sample) - min(sample) < 1e-9 for sample in samples
    ):  # seeds that agree to the last episode say nothing
        return 0.0
    with catch_warnings():
        simplefilter("ignore", RuntimeWarning)  # one of two samples may hardly scatter
        test = ttest_1samp(after, 0.0) if before is None else ttest_ind(after, before, equal_var=False)
        found = test.confidence_interval(CONFIDENCE)
    return float(found.high - found.low) / 2


def joined(difference: float, low: float | None, high: float | None, half: float) -> tuple[float | None, float | None]:
    """An interval over scenarios, widened on both sides by that over seeds: squared distances add (Zou and Donner 2008)."""
    if low is None or high is None:
        return None, None
    return max(-1.0, difference - sqrt((difference - low) ** 2 + half**2)), min(1.0, difference + sqrt((high - difference) ** 2 + half**2))


def sentence(one: Contrast, margin: float) -> str:
    """A difference, none beyond the margin, or that nobody can tell; numbers are points, of 100."""
    said = MEASURES[one.criterion].phrase
    if not one.scenarios:
        return f"{one.second} and {one.first} cannot be compared: they share no scenario"
    if one.low is None or one.high is None:
        return f"cannot tell {one.second} from {one.first}: {one.archetypes} archetype, no interval"
    alone = "" if 1 not in one.seeds else "; one training seed, so this is about these adapters only"
    bounds = f"[{100 * one.low:+.0f}, {100 * one.high:+.0f}]"
    if one.low > 0 or one.high < 0:
        least, most = sorted((abs(one.low), abs(one.high)))
        word = "more" if one.difference > 0 else "less"
        points = f"{100 * abs(one.difference):.0f} points {word} than {one.first} [{100 * least:.0f}, {100 * most:.0f}]"
        return f"{one.second} {said} {points}{alone}"
    if -margin <= one.low and one.high <= margin:
        return f"no difference beyond {100 * margin:.0f} points: {one.second} {said} as often as {one.first} {bounds}{alone}"
    return f"cannot tell whether {one.second} {said} more or less than {one.first} {bounds}{alone}"


def _whole(episodes: Sequence[Trajectory]) -> list[Trajectory]:
    """Of adapters that are compared with each other what broke, which is ours, counts against neither."""
    return [episode for episode in episodes if episode.ending is not Ending.broken]


def _rate(episodes: Sequence[Trajectory], criterion: str) -> float:
    return measure_rate(episodes, criterion).rate


def spread(runs: Sequence[EvaluatedRun], criterion: str) -> tuple[float, float]:
    """The lowest and the highest rate of its seeds."""
    found = [_rate(run.episodes, criterion) for run in runs]
    return min(found), max(found)

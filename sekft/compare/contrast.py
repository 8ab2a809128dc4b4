"""The difference between two groups of runs on the same scenarios, its interval over scenarios and training seeds, and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from warnings import catch_warnings, simplefilter

from sekft.compare.groups import EvaluatedRun, Group
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval.measures import MEASURES, applicable, measure_rate
from sekft.eval.paired import pair
from sekft.eval.rates import CONFIDENCE
from sekft.eval.summary import BASE


@dataclass(frozen=True)
class Contrast:
    """second minus first, on the scenarios that both played. low, high: None for fewer than two archetypes.

    seeds: the training seeds of each side, 0 for a base. With one seed on a trained side the interval is about these very adapters.
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


def contrast_with_base(group: Group, criterion: str) -> Contrast:
    """The adapters of a group against the base they were trained on."""
    gains = [_rate(run.episodes, criterion) - _rate(run.base, criterion) for run in group.runs]
    return _contrast(criterion, BASE, group.name, group.base(), group.episodes(), half_width(gains), (0, len(gains)))


def contrast_groups(first: Group, second: Group, criterion: str) -> Contrast:
    """The adapters of two groups; broken episodes count against neither."""
    before, after = ([_rate(_unbroken(run.episodes), criterion) for run in group.runs] for group in (first, second))
    seeds, episodes = (len(before), len(after)), (_unbroken(first.episodes()), _unbroken(second.episodes()))
    return _contrast(criterion, first.name, second.name, *episodes, half_width(after, before), seeds)


def contrast_pairs(pairs: Sequence[tuple[EvaluatedRun, EvaluatedRun]], first: str, second: str, criterion: str) -> Contrast:
    """One setting: the runs of a pair share the seed and every other setting, so that no other setting is part of a difference.

    first, second: the names of the two values.
    """
    gains = [_rate(_unbroken(after.episodes), criterion) - _rate(_unbroken(before.episodes), criterion) for before, after in pairs]
    before, after = (_unbroken([episode for pair in pairs for episode in pair[side].episodes]) for side in (0, 1))
    return _contrast(criterion, first, second, before, after, half_width(gains), (len(pairs), len(pairs)))


def _contrast(
    criterion: str, first: str, second: str, before: Sequence[Trajectory], after: Sequence[Trajectory], half: float, seeds: tuple[int, int]
) -> Contrast:
    paired = pair(applicable(before, criterion), applicable(after, criterion), criterion, MEASURES[criterion].met)
    low, high = widen(paired.difference, paired.low, paired.high, half)
    return Contrast(criterion, first, second, paired.difference, low, high, paired.n, paired.archetypes, seeds)


def half_width(after: Sequence[float], before: Sequence[float] | None = None) -> float:
    """Half the width of the 95 % t interval for a mean over training seeds, Welch's for two samples; 0 if a sample has one seed."""
    from scipy.stats import ttest_1samp, ttest_ind

    samples = [after] if before is None else [after, before]
    if min(map(len, samples)) < 2 or all(max(sample) - min(sample) < 1e-9 for sample in samples):  # scipy has no interval without spread
        return 0.0
    with catch_warnings():
        simplefilter("ignore", RuntimeWarning)  # scipy warns if one of two samples has no spread
        test = ttest_1samp(after, 0.0) if before is None else ttest_ind(after, before, equal_var=False)
        interval = test.confidence_interval(CONFIDENCE)
    return float(interval.high - interval.low) / 2


def widen(difference: float, low: float | None, high: float | None, half: float) -> tuple[float | None, float | None]:
    """An interval over scenarios, widened by half the interval over seeds: squared distances add (Zou and Donner 2008)."""
    if low is None or high is None:
        return None, None
    return max(-1.0, difference - sqrt((difference - low) ** 2 + half**2)), min(1.0, difference + sqrt((high - difference) ** 2 + half**2))


def sentence(contrast: Contrast, margin: float) -> str:
    """One sentence: a difference, no difference beyond the margin, or undecided. Numbers are points of 100."""
    first, second, phrase = contrast.first, contrast.second, MEASURES[contrast.criterion].phrase
    if not contrast.scenarios:
        return f"{second} and {first} cannot be compared: they share no scenario"
    if contrast.low is None or contrast.high is None:
        return f"cannot tell {second} from {first}: {contrast.archetypes} archetype, no interval"
    single = "" if 1 not in contrast.seeds else "; one training seed, so this is about these adapters only"
    bounds = f"[{round(100 * contrast.low):+d}, {round(100 * contrast.high):+d}]"
    if contrast.low > 0 or contrast.high < 0:
        least, most = sorted((abs(contrast.low), abs(contrast.high)))
        word = "more" if contrast.difference > 0 else "less"
        points = f"{100 * abs(contrast.difference):.0f} points {word} than {first} [{100 * least:.0f}, {100 * most:.0f}]"
        return f"{second} {phrase} {points}{single}"
    if -margin <= contrast.low and contrast.high <= margin:
        return f"no difference beyond {100 * margin:.0f} points: {second} {phrase} as often as {first} {bounds}{single}"
    return f"cannot tell whether {second} {phrase} more or less than {first} {bounds}{single}"


def _unbroken(episodes: Sequence[Trajectory]) -> list[Trajectory]:
    return [episode for episode in episodes if episode.ending is not Ending.broken]


def _rate(episodes: Sequence[Trajectory], criterion: str) -> float:
    return measure_rate(episodes, criterion).rate


def seed_range(runs: Sequence[EvaluatedRun], criterion: str) -> tuple[float, float]:
    """The lowest and the highest rate of a run."""
    rates = [_rate(run.episodes, criterion) for run in runs]
    return min(rates), max(rates)

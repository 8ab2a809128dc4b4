"""Tables of a comparison's groups: rates by kind of hold-out, and verified blocked scenarios by what blocks them."""

from collections.abc import Mapping, Sequence

from sekft.compare.groups import EvaluatedRun, Group
from sekft.episode.trajectory import Trajectory
from sekft.eval.measures import TABLE, measure_rate
from sekft.eval.rates import Rate, rate
from sekft.eval.summary import BASE

BLOCKER = "blocker="


def table_by_kind(groups: Sequence[Group], order: Sequence[str] = ()) -> list[list[str]]:
    """Rows of text, the head first: kind of hold-out, group, rates. Empty for a single kind.

    order: of the names of the groups and of the base; without it the base comes first.
    The base has rows only if its episodes are the same in all runs.
    """
    episodes: dict[tuple[str, str], list[Trajectory]] = {}
    for name, kind, episode in [
        *_base_episodes(groups),
        *((group.name, run.holdout_kind(episode), episode) for group in groups for run in group.runs for episode in run.episodes),
    ]:
        episodes.setdefault((kind, name), []).append(episode)
    if len({kind for kind, _ in episodes}) < 2:
        return []
    names = order if BASE in order else [BASE, *(group.name for group in groups)]
    rows = [
        [kind, name, *(_cell(measure_rate(episodes[kind, name], measure)) for measure in TABLE)]
        for kind, name in sorted(episodes, key=lambda pair: (pair[0], names.index(pair[1])))
    ]
    return [["kind of scenario", "group", *TABLE], *rows]


def table_by_blocker(groups: Sequence[Group]) -> list[list[str]]:
    """Rows of text, the head first: the blocker, and for every group its verified share of those blocked scenarios."""
    kinds = sorted({kind for group in groups for run in group.runs for kind in _rates_by_group(run) if kind.startswith(BLOCKER)})
    if not kinds:
        return []
    rows = [
        [kind.removeprefix(BLOCKER), *(_cell(_pool([_rates_by_group(run) for run in group.runs], kind)) for group in groups)]
        for kind in kinds
    ]
    return [["blocked by", *(group.name for group in groups)], *rows]


def _base_episodes(groups: Sequence[Group]) -> list[tuple[str, str, Trajectory]]:
    """(BASE, kind, episode) of every episode of the base once; none if its outcomes differ between runs."""
    found: dict[str, tuple[str, str, Trajectory]] = {}
    for run in (run for group in groups for run in group.runs):
        for episode in run.base:
            if found.setdefault(episode.id, (BASE, run.holdout_kind(episode), episode))[2].outcome is not episode.outcome:
                return []
    return list(found.values())


def _rates_by_group(run: EvaluatedRun) -> Mapping[str, Mapping[str, Rate]]:
    score = run.evaluation.agents.get(run.agent)
    return score.by if score else {}


def _pool(seeds: Sequence[Mapping[str, Mapping[str, Rate]]], kind: str) -> Rate:
    """The verified rate over several seeds, which were evaluated in the same scenarios."""
    rates = [by[kind]["verified"] for by in seeds if kind in by]
    return rate(sum(one.k for one in rates), sum(one.n for one in rates), max((one.n for one in rates), default=0) or None)


def _cell(value: Rate) -> str:
    return str(value) if value.n else ""

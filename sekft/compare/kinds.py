"""A comparison's groups by kind of scenario: rates by hold-out, and how blocked scenarios were left, by what blocks them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sekft.compare.groups import EvaluatedRun, Group
from sekft.episode.trajectory import Trajectory
from sekft.eval.measures import TABLE, measure_rate
from sekft.eval.rates import Rate, rate
from sekft.eval.score import BASE, TUNED

BLOCKER = "blocker="


def by_kind(groups: Sequence[Group]) -> list[list[str]]:
    """Rows of text, the head first: kind of hold-out, group, rates; empty for one kind. Several bases are left out."""
    episodes: dict[tuple[str, str], list[Trajectory]] = {}
    for name, kind, episode in [
        *_bases(groups),
        *((group.name, run.kind(episode), episode) for group in groups for run in group.runs for episode in run.episodes),
    ]:
        episodes.setdefault((kind, name), []).append(episode)
    if len({kind for kind, _ in episodes}) < 2:
        return []
    order = [BASE, *(group.name for group in groups)]
    rows = [
        [kind, name, *(_cell(measure_rate(episodes[kind, name], measure)) for measure in TABLE)]
        for kind, name in sorted(episodes, key=lambda pair: (pair[0], order.index(pair[1])))
    ]
    return [["kind of scenario", "group", *TABLE], *rows]


def by_blocker(groups: Sequence[Group]) -> list[list[str]]:
    """Rows of text, the head first: what blocks, and for every group the blocked scenarios that were verified: work done, panic typed."""
    kinds = sorted({kind for group in groups for run in group.runs for kind in _by(run) if kind.startswith(BLOCKER)})
    if not kinds:
        return []
    rows = [[kind.removeprefix(BLOCKER), *(_cell(_pooled([_by(run) for run in group.runs], kind)) for group in groups)] for kind in kinds]
    return [["blocked by", *(group.name for group in groups)], *rows]


def _bases(groups: Sequence[Group]) -> list[tuple[str, str, Trajectory]]:
    """(BASE, kind, episode) of every scenario once; none if runs say unlike things of the same scenario."""
    found: dict[str, tuple[str, str, Trajectory]] = {}
    for run in (run for group in groups for run in group.runs):
        for episode in run.base:
            if found.setdefault(episode.id, (BASE, run.kind(episode), episode))[2].outcome is not episode.outcome:
                return []
    return list(found.values())


def _by(run: EvaluatedRun) -> Mapping[str, Any]:
    """by, of the run's summary.json."""
    agents = run.summary if run.agent == TUNED else run.summary.get("agents", {})
    return (agents.get(run.agent) or {}).get("by", {})


def _pooled(seeds: Sequence[Mapping[str, Any]], kind: str) -> Rate:
    """Of several seeds in the same scenarios."""
    found = [by[kind]["verified"] for by in seeds if kind in by]
    k, n = (sum(one[key] for one in found) for key in ("k", "n"))
    return rate(k, n, max((one["n"] for one in found), default=0) or None)


def _cell(found: Rate) -> str:
    return str(found) if found.n else ""

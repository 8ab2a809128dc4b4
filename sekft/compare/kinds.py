"""A comparison's groups by kind of world: rates by hold-out, and how blocked worlds were left, by what blocks them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sekft.compare.groups import Examined, Group
from sekft.episode.trajectory import Trajectory
from sekft.eval.measures import TABLE, counted
from sekft.eval.rates import Rate, rate
from sekft.eval.score import BASE, TUNED

BLOCKER = "blocker="


def by_kind(groups: Sequence[Group]) -> list[list[str]]:
    """Rows of text, the head first: kind of hold-out, group, rates; empty for one kind. Several bases are left out."""
    lives: dict[tuple[str, str], list[Trajectory]] = {}
    for name, kind, life in [
        *_bases(groups),
        *((group.name, run.kind(life), life) for group in groups for run in group.runs for life in run.lives),
    ]:
        lives.setdefault((kind, name), []).append(life)
    if len({kind for kind, _ in lives}) < 2:
        return []
    order = [BASE, *(group.name for group in groups)]
    rows = [
        [kind, name, *(_cell(counted(lives[kind, name], measure)) for measure in TABLE)]
        for kind, name in sorted(lives, key=lambda pair: (pair[0], order.index(pair[1])))
    ]
    return [["kind of world", "group", *TABLE], *rows]


def by_blocker(groups: Sequence[Group]) -> list[list[str]]:
    """Rows of text, the head first: what blocks, and for every group the blocked worlds that were verified: work done, panic typed."""
    kinds = sorted({kind for group in groups for run in group.runs for kind in _by(run) if kind.startswith(BLOCKER)})
    if not kinds:
        return []
    rows = [[kind.removeprefix(BLOCKER), *(_cell(_pooled([_by(run) for run in group.runs], kind)) for group in groups)] for kind in kinds]
    return [["blocked by", *(group.name for group in groups)], *rows]


def _bases(groups: Sequence[Group]) -> list[tuple[str, str, Trajectory]]:
    """(BASE, kind, life) of every world once; none if runs say unlike things of the same world."""
    found: dict[str, tuple[str, str, Trajectory]] = {}
    for run in (run for group in groups for run in group.runs):
        for life in run.base:
            if found.setdefault(life.id, (BASE, run.kind(life), life))[2].outcome is not life.outcome:
                return []
    return list(found.values())


def _by(run: Examined) -> Mapping[str, Any]:
    """by, of the run's summary.json."""
    players = run.summary if run.player == TUNED else run.summary.get("players", {})
    return (players.get(run.player) or {}).get("by", {})


def _pooled(seeds: Sequence[Mapping[str, Any]], kind: str) -> Rate:
    """Of several seeds in the same worlds."""
    found = [by[kind]["verified"] for by in seeds if kind in by]
    k, n = (sum(one[key] for one in found) for key in ("k", "n"))
    return rate(k, n, max((one["n"] for one in found), default=0) or None)


def _cell(found: Rate) -> str:
    return str(found) if found.n else ""

"""Worlds by runs: what became of every world in every run, as a letter; where runs disagree comes first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sekft.compare.groups import Examined
from sekft.episode.trajectory import Trajectory
from sekft.eval.measures import MEASURES, among, letter

MET = "WB"
ABSENT = "–"  # the run's exam had no such world


@dataclass(frozen=True)
class Row:
    """letters: one per run. met: in how many runs the adapter met the criterion."""

    world: str
    letters: tuple[str, ...]
    met: int


@dataclass(frozen=True)
class Part:
    """Worlds of which the same is to be said."""

    title: str
    rows: tuple[Row, ...]


def parts(runs: Sequence[Examined], criterion: str) -> list[Part]:
    """Worlds in which the adapter met the criterion in some runs, most first; in none; in all."""
    columns = [_letters(run, criterion) for run in runs]
    found: dict[str, list[Row]] = {"in some runs": [], "in no run": [], "in every run": []}
    for world in dict.fromkeys(world for column in columns for world in column):
        letters = tuple(column.get(world, ABSENT) for column in columns)
        met, lived = sum(letter in MET for letter in letters), sum(letter != ABSENT for letter in letters)
        found["in no run" if not met else "in every run" if met == lived else "in some runs"].append(Row(world, letters, met))
    return [Part(title, tuple(sorted(rows, key=lambda row: (-row.met, row.world)))) for title, rows in found.items() if rows]


def _letters(run: Examined, criterion: str) -> dict[str, str]:
    """By world."""
    worlds: dict[str, tuple[list[Trajectory], list[Trajectory]]] = {}
    for side, lives in enumerate((run.base, run.lives)):
        for life in among(lives, criterion):
            worlds.setdefault(life.bundle_id, ([], []))[side].append(life)
    return {world: letter(base, tuned, MEASURES[criterion].met) for world, (base, tuned) in worlds.items()}

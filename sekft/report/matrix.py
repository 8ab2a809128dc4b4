"""Worlds by runs: what became of every world in every run, as a letter; where runs disagree comes first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sekft.exam.groups import Examined
from sekft.exam.measures import MEASURES, among
from sekft.rollout.trajectory import Ending, Trajectory

LETTERS = {
    "W": "won: the adapter meets the criterion, the base does not",
    "L": "lost: the base meets it, the adapter does not",
    "B": "both meet it",
    "N": "neither meets it",
    "X": "not compared: a life broke",
}
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


def letter(base: Sequence[Trajectory], tuned: Sequence[Trajectory], met: Callable[[Trajectory], bool]) -> str:
    """Of one world's lives. Several attempts: whoever meets it in more of them; a base that only broke is not compared."""
    lived = [life for life in base if life.ending is not Ending.broken]
    if not lived or not tuned:
        return "X"
    before, after = (sum(map(met, group)) / len(group) for group in (lived, tuned))
    return "W" if after > before else "L" if after < before else "B" if after else "N"


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

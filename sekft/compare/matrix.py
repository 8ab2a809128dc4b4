"""Scenarios by runs: what became of every scenario in every run, as a letter; where runs disagree comes first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sekft.compare.groups import EvaluatedRun
from sekft.episode.trajectory import Trajectory
from sekft.eval.measures import MEASURES, applicable, letter

MET = "WB"
ABSENT = "–"  # the run's evaluation had no such scenario


@dataclass(frozen=True)
class Row:
    """letters: one per run. met: in how many runs the adapter met the criterion."""

    scenario: str
    letters: tuple[str, ...]
    met: int


@dataclass(frozen=True)
class Part:
    """Scenarios of which the same is to be said."""

    title: str
    rows: tuple[Row, ...]


def parts(runs: Sequence[EvaluatedRun], criterion: str) -> list[Part]:
    """Scenarios in which the adapter met the criterion in some runs, most first; in none; in all."""
    columns = [_letters(run, criterion) for run in runs]
    found: dict[str, list[Row]] = {"in some runs": [], "in no run": [], "in every run": []}
    for scenario in dict.fromkeys(scenario for column in columns for scenario in column):
        letters = tuple(column.get(scenario, ABSENT) for column in columns)
        met, played = sum(letter in MET for letter in letters), sum(letter != ABSENT for letter in letters)
        found["in no run" if not met else "in every run" if met == played else "in some runs"].append(Row(scenario, letters, met))
    return [Part(title, tuple(sorted(rows, key=lambda row: (-row.met, row.scenario)))) for title, rows in found.items() if rows]


def _letters(run: EvaluatedRun, criterion: str) -> dict[str, str]:
    """By scenario."""
    scenarios: dict[str, tuple[list[Trajectory], list[Trajectory]]] = {}
    for side, episodes in enumerate((run.base, run.episodes)):
        for episode in applicable(episodes, criterion):
            scenarios.setdefault(episode.scenario_id, ([], []))[side].append(episode)
    return {scenario: letter(base, tuned, MEASURES[criterion].met) for scenario, (base, tuned) in scenarios.items()}

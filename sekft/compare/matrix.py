"""Scenarios by runs: the result of every scenario in every run as a letter; scenarios on which runs disagree come first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sekft.compare.groups import EvaluatedRun
from sekft.episode.trajectory import Trajectory
from sekft.eval.measures import MEASURES, applicable, letter

MET = "WB"
ABSENT = "–"  # the run's evaluation did not have the scenario


@dataclass(frozen=True)
class MatrixRow:
    """letters: one per run, see sekft.eval.measures.LETTERS. met: the number of runs in which the adapter met the criterion."""

    scenario: str
    letters: tuple[str, ...]
    met: int


@dataclass(frozen=True)
class MatrixPart:
    """Scenarios that the adapter met `in some runs`, `in no run` or `in every run`, which is the title."""

    title: str
    rows: tuple[MatrixRow, ...]


def matrix_parts(runs: Sequence[EvaluatedRun], criterion: str) -> list[MatrixPart]:
    """The parts that have scenarios; within a part the scenario that was met in most runs comes first."""
    columns = [_letters(run, criterion) for run in runs]
    parts: dict[str, list[MatrixRow]] = {"in some runs": [], "in no run": [], "in every run": []}
    for scenario in dict.fromkeys(scenario for column in columns for scenario in column):
        letters = tuple(column.get(scenario, ABSENT) for column in columns)
        met, played = sum(letter in MET for letter in letters), sum(letter != ABSENT for letter in letters)
        title = "in no run" if not met else "in every run" if met == played else "in some runs"
        parts[title].append(MatrixRow(scenario, letters, met))
    return [MatrixPart(title, tuple(sorted(rows, key=lambda row: (-row.met, row.scenario)))) for title, rows in parts.items() if rows]


def _letters(run: EvaluatedRun, criterion: str) -> dict[str, str]:
    """By scenario."""
    scenarios: dict[str, tuple[list[Trajectory], list[Trajectory]]] = {}
    for side, episodes in enumerate((run.base, run.episodes)):
        for episode in applicable(episodes, criterion):
            scenarios.setdefault(episode.scenario_id, ([], []))[side].append(episode)
    return {scenario: letter(base, tuned, MEASURES[criterion].met) for scenario, (base, tuned) in scenarios.items()}

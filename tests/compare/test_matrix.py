"""Scenarios by runs: one letter per cell, scenarios on which runs disagree first, nothing left out."""

from pathlib import Path

import pytest

from sekft.compare.matrix import ABSENT, matrix_parts
from sekft.eval.measures import letter
from sekft.eval.rates import JUDGED
from tests.compare.test_comparison import compared
from tests.eval.planted import episode
from tests.eval.planted_runs import SCENARIOS, plant, share


@pytest.mark.parametrize(
    ("base", "tuned", "expected"),
    [([0], [1], "W"), ([1], [0], "L"), ([1], [1], "B"), ([0], [0], "N"), ([0, 1], [1, 1], "W"), ([1, 0], [0, 1], "B"), ([], [1], "X")],
)
def test_the_letter_is_that_of_the_agent_that_meets_the_criterion_in_more_attempts(base: list[int], tuned: list[int], expected: str):
    played, learned = ([episode("w", "a", bool(won)) for won in wins] for wins in (base, tuned))
    assert letter(played, learned, JUDGED["verified"]) == expected


def test_a_base_that_only_broke_is_not_compared():
    assert letter([episode("w", "a", False, ending="broken")], [episode("w", "a", True)], JUDGED["verified"]) == "X"


def test_every_scenario_is_there_once_and_one_that_an_evaluation_lacks_is_marked(tmp_path: Path):
    plant(tmp_path / "0", share(2, 8), {"mask": "one"}, base=share(1, 8))
    plant(tmp_path / "1", share(4, 8), {"mask": "two"}, base=share(1, 8)[:32], scenarios=SCENARIOS[:32])
    runs = [run for group in compared(tmp_path).groups for run in group.runs]
    some, none, every = matrix_parts(runs, "verified")
    assert [part.title for part in (some, none, every)] == ["in some runs", "in no run", "in every run"]
    rows = [row for part in (some, none, every) for row in part.rows]
    assert sorted(row.scenario for row in rows) == sorted(scenario.id for scenario in SCENARIOS)
    assert {row.letters for row in every.rows} == {("B", "B"), ("W", "W")} and {row.letters for row in some.rows} == {("N", "W")}
    assert {row.letters for row in none.rows} == {("N", ABSENT)} and {row.met for row in some.rows} == {1}


def test_a_criterion_of_some_scenarios_shows_those_only(tmp_path: Path):
    plant(tmp_path / "0", share(2, 8))
    runs = [run for group in compared(tmp_path).groups for run in group.runs]
    solvable = [scenario.id for scenario in SCENARIOS if scenario.terminal.value == "exit"]
    assert sum(len(part.rows) for part in matrix_parts(runs, "verified_solvable")) == len(solvable) < len(SCENARIOS)

"""An iteration beside its parent: when an improvement counts, and what is known of where an adapter comes from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sekft.config import EvalConfig, RepairConfig, TrainConfig
from sekft.errors import DataError, SettingsError
from sekft.tracking import audit
from sekft.tracking.record import open_run
from sekft.train.search import iteration
from tests.eval.planted import episodes
from tests.eval.planted_runs import plant, share

LIMITS = EvalConfig(min_gain=0.05)


def after(wins: int, losses: int, scenarios: int = 96) -> tuple[list, list]:
    """Half of the scenarios are won by both; wins and losses are spread over thirteen archetypes."""
    both = [at % 2 == 0 for at in range(scenarios)]
    lost = [at for at in range(scenarios) if not both[at]][:wins]
    won = [at for at in range(scenarios) if both[at]][:losses]
    now = [(both[at] or at in lost) and at not in won for at in range(scenarios)]
    return episodes(both, 13), episodes(now, 13)


def test_an_improvement_is_shown_by_test_and_interval_and_a_p_value_pays_for_every_comparison_that_is_planned():
    shown = iteration.improvement(*after(24, 2), LIMITS, 3, "parent")
    assert shown.state == "met" and shown.difference == pytest.approx(22 / 96)
    alone, planned = (iteration.improvement(*after(11, 2), LIMITS, tests, "parent") for tests in (1, 3))
    assert alone.p is not None and alone.p < 0.05 < planned.p == pytest.approx(3 * alone.p)
    assert (alone.state, planned.state) == ("met", "undecided")


def test_one_that_is_worse_is_said_to_be_worse_than_what_it_came_from():
    found = iteration.improvement(*after(2, 24), LIMITS, 3, "parent")
    assert (found.state, found.text) == ("not met", "worse than the parent")
    assert iteration.improvement(*after(0, 0), LIMITS, 1, "base").text == "the interval excludes a gain of 0.05"


def test_a_run_whose_time_was_up_before_its_development_scenarios_is_an_iteration_all_the_same(tmp_path: Path):
    run = plant(tmp_path / "run", share(7, 8))
    summary = json.loads((run / "summary.json").read_text()) | {"supervised_tokens": 1, "data": {}, "steps": 2}
    told = iteration.document(run, settings(repair=RepairConfig(scenarios=16)), summary, ["shell"])
    assert (told["development"], told["next"], told["test"]["scores"]["tuned"]["verified"]["k"]) == (None, None, 56)
    assert iteration.lines(told) == []


def settings(**given: object) -> TrainConfig:
    return replace(TrainConfig(), **given)


def test_where_an_adapter_comes_from_is_its_runs_seal_and_its_own_digest(tmp_path: Path):
    run = tmp_path / "run"
    with open_run(run, "train", {"seed": 0}, [], 0):
        (run / "adapter").mkdir()
        (run / "adapter" / "weights").write_text("1")
        (run / "iteration.json").write_text(json.dumps({"iteration": 4}))
    first = iteration.parent_of(settings(adapter=str(run / "adapter")))
    assert first is not None and first["iteration"] == 4 and first["run"] == str(run)
    assert first["audit"] == json.loads((run / "audit.jsonl").read_text().splitlines()[-1])["hash"] == audit.seal(run)
    audit.Audit(run).tell("approved", by="ada")
    assert iteration.parent_of(settings(adapter=str(run / "adapter"))) == first
    (run / "adapter" / "weights").write_text("2")
    other = iteration.parent_of(settings(adapter=str(run / "adapter")))
    assert other is not None and other["digest"] != first["digest"]
    alone = iteration.parent_of(settings(adapter=str(tmp_path)))
    assert alone is not None and (alone["run"], alone["audit"], alone["iteration"]) == (None, None, 0)
    assert iteration.parent_of(settings()) is None


def test_what_cannot_be_compared_or_read_is_refused_before_anything_is_trained(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"repair\.scenarios=8: allowed with an evaluation; give it eval\.episodes=N"):
        iteration.require(settings(eval=EvalConfig(episodes=0), repair=RepairConfig(scenarios=8)))
    with pytest.raises(
        SettingsError, match=r"repair\.after=.*: no iteration\.json there; allowed: a run of sekft\.train with an evaluation"
    ):
        iteration.require(settings(repair=RepairConfig(after=str(tmp_path))))
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "iteration.json").write_text("half")
    with pytest.raises(DataError, match=r"iteration\.json: .*; allowed: what sekft\.train and sekft\.eval write"):
        iteration.require(settings(adapter=str(tmp_path / "adapter")))

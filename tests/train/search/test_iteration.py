"""An iteration and its parent: when an improvement counts, and what is recorded of the parent."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sekft.config import EvalConfig, RepairConfig, TrainConfig
from sekft.errors import DataError, SettingsError
from sekft.tracking import events
from sekft.tracking.files import write_json
from sekft.tracking.record import open_run
from sekft.train.search import iteration
from tests.eval.planted import episodes
from tests.eval.planted_runs import plant, share
from tests.train.search.test_heal import finished

LIMITS = EvalConfig(min_gain=0.05)


def after(wins: int, losses: int, scenarios: int = 96) -> tuple[list, list]:
    """Half of the scenarios are won by both; wins and losses are spread over thirteen archetypes."""
    both = [at % 2 == 0 for at in range(scenarios)]
    lost = [at for at in range(scenarios) if not both[at]][:wins]
    won = [at for at in range(scenarios) if both[at]][:losses]
    now = [(both[at] or at in lost) and at not in won for at in range(scenarios)]
    return episodes(both, 13), episodes(now, 13)


def test_an_improvement_needs_test_and_interval_and_its_p_value_is_corrected_for_all_planned_comparisons():
    shown = iteration.improvement(*after(24, 2), LIMITS, 3, "parent")
    assert shown.state == "met" and shown.difference == pytest.approx(22 / 96)
    alone, planned = (iteration.improvement(*after(11, 2), LIMITS, tests, "parent") for tests in (1, 3))
    assert alone.p is not None and alone.p < 0.05 < planned.p == pytest.approx(3 * alone.p)
    assert (alone.state, planned.state) == ("met", "undecided")


def test_a_worse_adapter_is_reported_as_worse_than_its_parent():
    found = iteration.improvement(*after(2, 24), LIMITS, 3, "parent")
    assert (found.state, found.text) == ("not met", "worse than the parent")
    assert iteration.improvement(*after(0, 0), LIMITS, 1, "base").text == "the interval excludes a gain of 5 points"


def test_a_run_without_development_episodes_is_still_an_iteration(tmp_path: Path):
    run = plant(tmp_path / "run", share(7, 8))
    summary = json.loads((run / "summary.json").read_text()) | {"supervised_tokens": 1, "data": {}, "steps": 2}
    result = iteration.make_iteration(run, settings(repair=RepairConfig(scenarios=16)), summary, ["shell"])
    assert (result.development, result.next, result.test.scores["tuned"]["verified"].k) == (None, None, 56)
    assert iteration.lines(result) == []


def settings(**given: object) -> TrainConfig:
    return replace(TrainConfig(), **given)


def test_a_parent_is_recorded_with_its_runs_seal_and_its_adapters_digest(tmp_path: Path):
    run = tmp_path / "run"
    with open_run(run, "train", {"seed": 0}, [], 0):
        (run / "adapter").mkdir()
        (run / "adapter" / "weights").write_text("1")
        write_json(run / "iteration.json", asdict(finished(4)))
    first = iteration.find_parent(settings(adapter=str(run / "adapter")))
    assert first is not None and first.iteration == 4 and first.run == str(run)
    assert first.audit is not None and first.audit == events.closing_digest(run)
    events.add_event(run, "approved", by="ada")
    assert iteration.find_parent(settings(adapter=str(run / "adapter"))) == first
    (run / "adapter" / "weights").write_text("2")
    other = iteration.find_parent(settings(adapter=str(run / "adapter")))
    assert other is not None and other.digest != first.digest
    alone = iteration.find_parent(settings(adapter=str(tmp_path)))
    assert alone is not None and (alone.run, alone.audit, alone.iteration) == (None, None, 0)
    assert iteration.find_parent(settings()) is None


def test_missing_and_unreadable_records_are_refused_before_the_training(tmp_path: Path):
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


def test_an_iteration_of_the_first_edition_is_read_under_the_present_names(tmp_path: Path):
    document = json.loads(json.dumps(asdict(finished(2))))
    evaluation, development = document.pop("test"), document["development"]
    evaluation["worlds"], evaluation["scenarios"] = evaluation["scenarios"], evaluation.pop("set")
    development["worlds"] = development.pop("scenarios")
    development["lost"]["lived"] = development["lost"].pop("played")
    document["next"]["rationale"]["said"] = document["next"]["rationale"].pop("lines")
    write_json(tmp_path / "iteration.json", document | {"exam": evaluation})
    assert iteration.read(tmp_path) == finished(2)

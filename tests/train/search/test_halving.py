"""Successive halving: the settings that go on resume their training, and a finished sweep repeats nothing."""

import json
from pathlib import Path

import pytest

from sekft.errors import SettingsError
from sekft.train.search.halving import SuccessiveHalving, rung_shares
from tests.conftest import changed, run_command

BARE = ["sandbox=bwrap", "tracker=none", "eval.baselines=false", "eval.episodes=2", "eval.max_turns=3", "eval.max_reply_tokens=8"]
SHORT = [*BARE, "rehearsal=false", "split.train_scenarios=16", "trainer.max_steps=8", "trainer.batch=2"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_best_settings_go_on_as_if_never_stopped_and_a_second_start_repeats_nothing(tmp_path: Path):
    line = ("-m", "sweep=halving", "trainer.lr=1e-4,1e-3,4e-3", *SHORT, "hydra.sweep.dir=rungs")
    first = run_command("train", *line, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    record = json.loads((tmp_path / "rungs" / "halving.json").read_text())
    assert [[one["steps"] for one in rung["settings"]] for rung in record["rungs"]] == [[2, 2, 2], [4, 4], [8, 8]]
    losses = {one["setting"]: one["behaviour"] for one in record["rungs"][0]["settings"]}
    best = sorted(losses, key=lambda one: losses[one], reverse=True)[:2]
    assert sorted(best) == sorted(one["setting"] for one in record["rungs"][1]["settings"])
    assert (record["steps"], record["steps_of_the_grid"]) == (18, 24)
    assert "18 steps instead of the 24 of the whole grid, 25% saved" in first.stdout
    for setting in best[:1]:
        lr = record["rungs"][0]["settings"][setting]["swept"][0]
        alone = run_command("train", *changed(SHORT, "eval.episodes=0"), lr, f"hydra.run.dir=alone{setting}", cwd=tmp_path)
        assert alone.returncode == 0, alone.stderr
        weights = [tmp_path / folder / "adapter" / "adapter_model.safetensors" for folder in (f"alone{setting}", f"rungs/{setting}-100")]
        assert weights[0].read_bytes() == weights[1].read_bytes()
    scenarios = {
        rung: json.loads((tmp_path / "rungs" / f"{best[0]}-{rung}" / "run.json").read_text())["settings"]["scenarios"] for rung in (25, 100)
    }
    assert scenarios == {25: "selection", 100: "held_out"}
    again = run_command("train", *line, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.count("done before; skipped") == 7, again.stderr
    assert json.loads((tmp_path / "rungs" / "halving.json").read_text()) == record


def test_a_setting_without_an_evaluation_is_out(tmp_path: Path):
    search = SuccessiveHalving.from_sweep([["a=1"], ["a=2"]], str(tmp_path), 0.5, 0.5, None)
    for setting in (0, 1):
        (tmp_path / f"{setting}-50").mkdir()
        (tmp_path / f"{setting}-50" / "summary.json").write_text('{"tuned": null, "val_loss": 1.0, "steps": 2}')
    assert search.finish_rung() and search.remaining == []


def test_the_shares_grow_to_all_steps():
    assert rung_shares(0.25, 0.5) == [0.25, 0.5, 1.0]
    assert rung_shares(0.2, 0.5) == [0.2, 0.4, 0.8, 1.0]
    assert rung_shares(0.5, 0.25) == [0.5, 1.0]


@pytest.mark.parametrize(("first", "keep", "message"), [(0.0, 0.5, "first: found 0.0"), (0.25, 1.0, "keep: found 1.0")])
def test_shares_outside_their_bounds_are_refused(first: float, keep: float, message: str):
    with pytest.raises(SettingsError, match=message):
        SuccessiveHalving.from_sweep([["a=1"]], "folder", first, keep, None)


def test_a_sweep_without_an_evaluation_is_refused(tmp_path: Path):
    line = ("-m", "sweep=halving", "trainer.lr=1e-4,1e-3", *SHORT, "eval.episodes=0", "hydra.sweep.dir=rungs")
    done = run_command("train", *line, cwd=tmp_path)
    assert done.returncode == 1 and "sweep=halving: no evaluation, so nothing decides; give it eval.episodes=N" in done.stderr

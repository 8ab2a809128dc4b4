"""Where a training starts from: resolved before it begins, recorded in run.json, contradictions refused in one line."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sekft.config import (
    LoraConfig,
    MaskConfig,
    MaskRule,
    ModelConfig,
    SplitConfig,
    Start,
    Tracker,
    TrackerConfig,
    TrainConfig,
    TrainerConfig,
)
from sekft.config.job import Job
from sekft.errors import ReleaseError, SettingsError
from sekft.tracking import sums
from sekft.tracking.record import open_run
from sekft.train.start import resolve_start
from tests.train.test_checkpoint import planted

CONTINUE = Start("continue")


def job(folder: str = "new", **more: Any) -> Job:
    return Job(Path(folder), folder, folder, more.pop("overrides", ()), (), **more)


def line(**given: Any) -> TrainConfig:
    """Settings as a command line composes them, nothing missing."""
    chosen = {"model": ModelConfig(name="tiny", path="sekft:tiny"), "lora": LoraConfig(name="r4", r=4, alpha=8)}
    chosen |= {"mask": MaskConfig(rule=MaskRule.assistant), "split": SplitConfig(name="archetype")}
    return TrainConfig(**chosen | {"tracker": TrackerConfig(kind=Tracker.none)} | given)


def start_of(settings: TrainConfig, this: Job | None = None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = resolve_start(settings, this or job())[1].facts["start"]
    return found


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with an adapter, and a stage with two releases of it."""
    monkeypatch.chdir(tmp_path)
    for folder in (Path("old"), Path("prod/0001-old"), Path("prod/0002-old")):
        (folder / "adapter").mkdir(parents=True)
        (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
        if folder.parent.name:
            sums.write(folder, [folder / "adapter"])
    Path("prod/current").symlink_to("0001-old")
    return tmp_path


def test_the_default_is_a_fresh_adapter_without_a_parent():
    assert start_of(TrainConfig()) == {"policy": "bootstrap", "began": "bootstrap", "parent": None, "checkpoint": None}


@pytest.mark.parametrize(
    "given", [{"adapter": "old/adapter"}, {"parent": "old", "start": CONTINUE}, {"parent": "old", "adapter": "old/adapter"}]
)
def test_another_runs_adapter_is_trained_further_however_it_is_named(given: dict[str, Any]):
    settings, this = resolve_start(TrainConfig(**given), job())
    assert (settings.start, settings.adapter) == (CONTINUE, "old/adapter")
    parent = {"run": "old", "adapter": "old/adapter", "sha256": sha256(b"weights").hexdigest()}
    assert this.facts["start"] == {"policy": "continue", "began": "continue", "parent": parent, "checkpoint": None}


@pytest.mark.parametrize(
    ("given", "overrides", "message"),
    [
        ({"start": CONTINUE}, (), "start=continue: no adapter given; allowed: adapter=FOLDER, or parent=RUN"),
        ({"adapter": "old/adapter"}, ("start=bootstrap",), "start=bootstrap: begins with a fresh adapter, found old/adapter"),
        ({"adapter": "other/adapter", "parent": "old"}, (), "adapter=other/adapter: not the adapter of parent=old"),
        ({"start": Start.release}, (), "start=release: found no adapter, allowed: adapter=outputs/releases/STAGE"),
        ({"start": Start.release, "adapter": "old/adapter"}, (), "start=release: adapter=old/adapter: no release there"),
        ({"start": Start.resume}, (), "start=resume: no run in new; allowed: parent=RUN"),
    ],
)
def test_contradictions_and_missing_parents_are_refused(given: dict[str, Any], overrides: tuple[str, ...], message: str):
    with pytest.raises(SettingsError) as refused:
        resolve_start(TrainConfig(**given), job(overrides=overrides))
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("named", ["prod", "prod/0001-old", "prod/0001-old/adapter"])
def test_a_stage_stands_for_its_current_release_which_is_recorded(named: str):
    settings, this = resolve_start(TrainConfig(start=Start.release, adapter=named), job())
    assert settings.adapter == "prod/0001-old/adapter"
    assert (this.facts["start"]["policy"], this.facts["start"]["parent"]["release"]) == ("release", "prod/0001-old")
    assert resolve_start(settings, job())[0] == settings  # as a replay begins


def test_a_release_that_was_altered_is_refused_and_another_one_is_not():
    with Path("prod/0001-old/adapter/adapter_model.safetensors").open("ab") as weights:
        weights.write(b"!")
    with pytest.raises(ReleaseError, match=r"altered since it was released: prod/0001-old/adapter/adapter_model.safetensors: changed; see"):
        resolve_start(TrainConfig(start=Start.release, adapter="prod"), job())
    assert resolve_start(TrainConfig(start=Start.release, adapter="prod/0002-old"), job())


def cut_off(settings: TrainConfig, facts: Mapping[str, Any]) -> Path:
    with pytest.raises(KeyboardInterrupt), open_run(Path("cut"), "train", asdict(settings), ["lora=r8"], 0, facts):
        raise KeyboardInterrupt
    return planted(Path("cut"), 3)


def test_an_interrupted_run_resumes_with_its_settings_and_newest_checkpoint():
    own, first = resolve_start(line(adapter="old/adapter", seed=4, trainer=TrainerConfig(lr=1e-3)), job("cut"))
    checkpoint = cut_off(own, first.facts)
    typed = replace(own, start=Start.resume, adapter=None, parent="cut")
    settings, this = resolve_start(typed, job("cut", overrides=("lora=r8", "start=resume", "parent=cut")))
    assert settings == own and this.checkpoint == checkpoint and this.overrides == ("lora=r8",)
    parent = first.facts["start"]["parent"]
    assert this.facts["start"] == {"policy": "resume", "began": "continue", "parent": parent, "checkpoint": str(checkpoint)}


def test_a_run_is_not_resumed_with_other_settings_nor_in_a_sweep():
    cut_off(line(), {})
    other = line(start=Start.resume, trainer=TrainerConfig(lr=1e-3))
    with pytest.raises(SettingsError, match=r"cut began with trainer.lr=0.0002, found 0.001; allowed: its own line"):
        resolve_start(other, job("cut"))
    with pytest.raises(SettingsError, match="cut began with adapter=None, found old/adapter"):
        resolve_start(line(start=Start.resume, adapter="old/adapter"), job("cut"))
    with pytest.raises(SettingsError, match="not in a sweep"):
        resolve_start(TrainConfig(start=Start.resume), job("cut", sweep=Path("s")))


def test_a_run_of_other_code_resumes_with_a_note_that_its_bytes_may_differ(capsys: pytest.CaptureFixture[str]):
    cut_off(line(), {"code": "0" * 16})
    resolve_start(line(start=Start.resume), job("cut"))
    assert "cut began with other code; its bytes may differ from those" in capsys.readouterr().out


def test_a_given_checkpoint_counts_as_resuming(tmp_path: Path):
    (tmp_path / "trainer_state.json").touch()
    start = start_of(TrainConfig(trainer=TrainerConfig(resume_from=str(tmp_path))), job(checkpoint=Path("s/0/checkpoints/checkpoint-2")))
    assert (start["policy"], start["checkpoint"]) == ("resume", "s/0/checkpoints/checkpoint-2")
    assert json.dumps(start)

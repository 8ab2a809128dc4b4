"""How a training begins is one thing, and on record: what contradicts it is refused in a line."""

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
from sekft.train.start import begun
from tests.train.test_checkpoint import planted

CONTINUE = Start("continue")


def job(folder: str = "new", **more: Any) -> Job:
    return Job(Path(folder), folder, folder, more.pop("overrides", ()), (), **more)


def line(**given: Any) -> TrainConfig:
    """As a line composes, nothing missing."""
    chosen = {"model": ModelConfig(name="tiny", path="sekft:tiny"), "lora": LoraConfig(name="r4", r=4, alpha=8)}
    chosen |= {"mask": MaskConfig(rule=MaskRule.assistant), "split": SplitConfig(name="archetype")}
    return TrainConfig(**chosen | {"tracker": TrackerConfig(kind=Tracker.none)} | given)


def start_of(settings: TrainConfig, this: Job | None = None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = begun(settings, this or job())[1].facts["start"]
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


def test_without_a_word_it_is_a_fresh_adapter_of_nobody():
    assert start_of(TrainConfig()) == {"policy": "bootstrap", "began": "bootstrap", "parent": None, "checkpoint": None}


@pytest.mark.parametrize(
    "given", [{"adapter": "old/adapter"}, {"parent": "old", "start": CONTINUE}, {"parent": "old", "adapter": "old/adapter"}]
)
def test_another_runs_adapter_is_gone_on_from_however_it_is_named(given: dict[str, Any]):
    settings, this = begun(TrainConfig(**given), job())
    assert (settings.start, settings.adapter) == (CONTINUE, "old/adapter")
    parent = {"run": "old", "adapter": "old/adapter", "sha256": sha256(b"weights").hexdigest()}
    assert this.facts["start"] == {"policy": "continue", "began": "continue", "parent": parent, "checkpoint": None}


@pytest.mark.parametrize(
    ("given", "overrides", "said"),
    [
        ({"start": CONTINUE}, (), "start=continue: from what? allowed: adapter=FOLDER, or parent=RUN"),
        ({"adapter": "old/adapter"}, ("start=bootstrap",), "start=bootstrap: begins with a fresh adapter; found old/adapter"),
        ({"adapter": "other/adapter", "parent": "old"}, (), "adapter=other/adapter: not of parent=old"),
        ({"start": Start.release}, (), "start=release: found no adapter, allowed: adapter=outputs/releases/STAGE"),
        ({"start": Start.release, "adapter": "old/adapter"}, (), "start=release: adapter=old/adapter: no release there"),
        ({"start": Start.resume}, (), "start=resume: no run in new; allowed: parent=RUN"),
    ],
)
def test_what_contradicts_itself_or_leads_nowhere_is_refused(given: dict[str, Any], overrides: tuple[str, ...], said: str):
    with pytest.raises(SettingsError) as refused:
        begun(TrainConfig(**given), job(overrides=overrides))
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("named", ["prod", "prod/0001-old", "prod/0001-old/adapter"])
def test_a_release_is_its_stages_current_one_and_kept_by_name(named: str):
    settings, this = begun(TrainConfig(start=Start.release, adapter=named), job())
    assert settings.adapter == "prod/0001-old/adapter"
    assert (this.facts["start"]["policy"], this.facts["start"]["parent"]["release"]) == ("release", "prod/0001-old")
    assert begun(settings, job())[0] == settings  # as a replay begins


def test_a_release_that_was_altered_is_refused_and_another_one_is_not():
    with Path("prod/0001-old/adapter/adapter_model.safetensors").open("ab") as weights:
        weights.write(b"!")
    with pytest.raises(ReleaseError, match=r"not what was released: prod/0001-old/adapter/adapter_model.safetensors: changed; see"):
        begun(TrainConfig(start=Start.release, adapter="prod"), job())
    assert begun(TrainConfig(start=Start.release, adapter="prod/0002-old"), job())


def cut_off(settings: TrainConfig, facts: Mapping[str, Any]) -> Path:
    with pytest.raises(KeyboardInterrupt), open_run(Path("cut"), "train", asdict(settings), ["lora=r8"], 0, facts):
        raise KeyboardInterrupt
    return planted(Path("cut"), 3)


def test_a_run_that_was_cut_off_goes_on_as_what_it_was_and_from_its_newest_checkpoint():
    own, first = begun(line(adapter="old/adapter", seed=4, trainer=TrainerConfig(lr=1e-3)), job("cut"))
    checkpoint = cut_off(own, first.facts)
    typed = replace(own, start=Start.resume, adapter=None, parent="cut")
    settings, this = begun(typed, job("cut", overrides=("lora=r8", "start=resume", "parent=cut")))
    assert settings == own and this.checkpoint == checkpoint and this.overrides == ("lora=r8",)
    parent = first.facts["start"]["parent"]
    assert this.facts["start"] == {"policy": "resume", "began": "continue", "parent": parent, "checkpoint": str(checkpoint)}


def test_a_run_is_not_resumed_as_another_one_nor_in_a_sweep():
    cut_off(line(), {})
    other = line(start=Start.resume, trainer=TrainerConfig(lr=1e-3))
    with pytest.raises(SettingsError, match=r"cut was begun with trainer.lr=0.0002, found 0.001; allowed: its own line"):
        begun(other, job("cut"))
    with pytest.raises(SettingsError, match="cut was begun with adapter=None, found old/adapter"):
        begun(line(start=Start.resume, adapter="old/adapter"), job("cut"))
    with pytest.raises(SettingsError, match="not in a sweep"):
        begun(TrainConfig(start=Start.resume), job("cut", sweep=Path("s")))


def test_a_run_of_other_code_goes_on_and_says_that_its_bytes_may_differ(capsys: pytest.CaptureFixture[str]):
    cut_off(line(), {"code": "0" * 16})
    begun(line(start=Start.resume), job("cut"))
    assert "cut was begun with other code; its bytes need not be those" in capsys.readouterr().out


def test_a_checkpoint_that_is_named_is_a_resumption_too(tmp_path: Path):
    (tmp_path / "trainer_state.json").touch()
    told = start_of(TrainConfig(trainer=TrainerConfig(resume_from=str(tmp_path))), job(checkpoint=Path("s/0/checkpoints/checkpoint-2")))
    assert (told["policy"], told["checkpoint"]) == ("resume", "s/0/checkpoints/checkpoint-2")
    assert json.dumps(told)

"""An override that names a recorded run is expanded to the overrides of that run, and to nothing else."""

from pathlib import Path

import pytest

from sekft.cli.recorded import expand
from sekft.errors import SettingsError
from sekft.tracking.record import open_run

LINE = ["lora=r8", "start=continue", "adapter=old/adapter", "tracker=none"]


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with open_run(Path("done"), "train", {}, LINE, 0):
        pass
    return Path("done")


@pytest.fixture
def cut_off(done: Path) -> Path:
    with pytest.raises(KeyboardInterrupt), open_run(Path("cut"), "train", {}, LINE, 0):
        raise KeyboardInterrupt
    return Path("cut")


def test_other_lines_are_left_as_they_are(done: Path):
    for words in (["lora=r8", "-m"], ["start=continue", "parent=done"], ["replay=null"], ["start=resume", "hydra.run.dir=elsewhere"]):
        assert expand("train", words) == words


def test_a_replay_is_of_the_whole_line_in_a_new_folder_and_may_tell_somebody_else(done: Path):
    assert expand("train", ["replay=done"]) == [*LINE, "replay=done"]
    told = ["replay='done'", "tracker=wandb", "hydra.run.dir=new"]
    assert expand("train", told) == [*LINE[:3], *told]
    again = expand("train", ["replay=done"])
    assert expand("train", again)[-len(again) :] == again  # as a resident base reads it once more


def test_a_resumed_run_keeps_its_folder_and_says_again_how_it_began_no_more(cut_off: Path):
    words = ["start=resume", "parent=cut"]
    assert expand("train", words) == ["lora=r8", "adapter=old/adapter", "tracker=none", *words, "hydra.run.dir='cut'"]
    same = ["start=resume", f"parent={cut_off.absolute()}", "hydra.run.dir=cut"]
    assert expand("train", same)[-3:] == same


def test_a_recorded_run_may_be_repeated_or_resumed_elsewhere(done: Path, cut_off: Path):
    with open_run(Path("remote"), "train", {}, ["lora=r8", "where.train=local", "live=false"], 0):
        pass
    assert expand("train", ["replay=remote", "where=ray", "live=true"]) == ["lora=r8", "replay=remote", "where=ray", "live=true"]
    words = ["start=resume", "parent=cut", "where.train=local", "where.eval=local"]
    assert expand("train", words)[-5:-1] == words


def test_a_run_with_a_configuration_folder_of_its_own_is_repeated_and_resumed_with_it(done: Path, tmp_path: Path):
    (mine := tmp_path / "mine").mkdir()
    with open_run(Path("own"), "train", {}, ["lora=mine"], 0, {"config_dir": str(mine)}):
        pass
    assert expand("train", ["replay=own"]) == ["--config-dir", str(mine), "lora=mine", "replay=own"]
    assert expand("train", ["replay=own", "--config-dir=done"]) == ["lora=mine", "replay=own", "--config-dir=done"]
    mine.rmdir()
    with pytest.raises(SettingsError, match=f"replay=own: that run had --config-dir {mine}, which is gone"):
        expand("train", ["replay=own"])


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("train", "replay=done lora=r16", "replay=done: stands for the whole line of that run; found beside it lora=r16"),
        ("train", "replay=done start=resume parent=cut", "parent=cut: stands for the whole line of that run; found beside it replay=done"),
        ("train", "replay=done -m", "replay=done: not in a sweep"),
        ("train", "replay=nowhere", "replay=nowhere: no run.json there"),
        ("eval", "replay=done", "replay=done: a run of sekft.train; allowed here: one of sekft.eval"),
        ("train", "start=resume parent=cut trainer.lr=1", "found beside it trainer.lr=1"),
        ("train", "start=resume parent=cut hydra.run.dir=new", "parent=cut: a run resumes in its own folder; found hydra.run.dir=new"),
        ("train", "start=resume parent=done", "start=resume: done: done; nothing is left to do. To continue from its adapter: parent=done"),
        ("train", "lora=r8 start=resume hydra.run.dir=done", "start=resume: done: done;"),
    ],
)  # fmt: skip
def test_what_would_be_another_run_is_refused_before_there_is_one(cut_off: Path, command: str, words: str, said: str):
    before = sorted(Path().iterdir())
    with pytest.raises(SettingsError) as refused:
        expand(command, words.split())
    assert said in str(refused.value) and sorted(Path().iterdir()) == before


def test_a_run_that_is_under_way_is_not_resumed(done: Path):
    with open_run(Path("busy"), "train", {}, [], 0), pytest.raises(SettingsError, match="busy: running, at load; wait, or end it"):
        expand("train", ["start=resume", "parent=busy"])

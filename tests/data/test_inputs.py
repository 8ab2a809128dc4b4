"""The files whose content decides a training."""

from pathlib import Path

import pytest

from sekft.config import DataConfig, ModelConfig, SourceConfig, SourceKind, TrainConfig
from sekft.data.inputs import training_inputs


def test_the_files_of_a_source_are_inputs_and_other_files_beside_them_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.jsonl", "b.jsonl", "notes.txt"):
        (tmp_path / name).write_text("{}")
    sources = {
        "home": SourceConfig(kind=SourceKind.trajectories, path="~"),
        "shipped": SourceConfig(kind=SourceKind.tinystories, path="sekft:tinystories.txt"),
        "gone": SourceConfig(kind=SourceKind.trajectories, path="gone.jsonl"),
        "generated": SourceConfig(kind=SourceKind.trajectories),
    }
    found = training_inputs(TrainConfig(model=ModelConfig(name="tiny", path="sekft:tiny"), data=DataConfig(sources=sources)))[1:]
    assert [path.name for path in found] == ["a.jsonl", "b.jsonl", "tinystories.txt", "gone.jsonl"]
    assert all(path.exists() for path in found[:-1])


def test_the_adapter_and_the_parent_run_are_inputs_and_the_current_one_of_releases(tmp_path: Path):
    model = ModelConfig(name="tiny", path="sekft:tiny")
    for release in ("0001-a", "0002-b"):
        (tmp_path / "prod" / release).mkdir(parents=True)
    (tmp_path / "prod" / "current").symlink_to("0001-a")
    assert training_inputs(TrainConfig(model=model, adapter=str(tmp_path / "prod")))[1:] == [tmp_path / "prod" / "0001-a"]
    assert training_inputs(TrainConfig(model=model, parent="old"))[1:] == [Path("old/adapter")]

"""What a page says about its run: of a training, of an evaluation by itself, and of one that is scored again."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from sekft.eval.about import About, about_run

TUNED = SimpleNamespace(subject="tuned", titles={})
TRAINED = {
    "command": "train", "status": "done", "seed": 3, "started": "2030-01-02T03:04:05.000+00:00", "seconds": 600,
    "overrides": ["data=my rows.jsonl"],
    "settings": {"trainer": {"lr": 0.002, "epochs": 3.0, "max_steps": -1}, "lora": {"r": 16, "alpha": 32, "target_modules": "all-linear"}},
    "base": {"name": "tiny", "path": "sekft:tiny", "licence": "MIT"}, "data": {"mine": {"path": "my rows.jsonl", "rows": 5}},
    "evaluation": {"scenarios": "test", "n": 64, "sha256": "ab" * 32}, "sandbox": {"backend": "bwrap"},
}  # fmt: skip


def planted(folder: Path, record: dict) -> Path:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = planted(tmp_path / "outputs" / "7", TRAINED)
    (folder / "metrics.jsonl").write_text("".join(f'{{"step": {step}, "train/loss": {1 / step}}}\n' for step in range(1, 21)))
    return folder


def test_a_training_says_who_what_and_when(trained: Path):
    about = about_run(trained, TUNED, "tracker: none")
    assert about.facts == {
        "run": "outputs/7",
        "command": "python -m sekft.train 'data=my rows.jsonl'",
        "base": "tiny (sekft:tiny, MIT)",
        "adapter": "LoRA of rank 16, alpha 32, on all-linear, in outputs/7/adapter",
        "data": "mine: 5 rows of my rows.jsonl",
        "training": "20 steps, 3 epochs, learning rate 0.002, seed 3",
        "scenarios": "64 of scenarios=test (sha256 abababababab), on bwrap",
        "started": "2030-01-02 03:04 UTC, took 10 min",
        "tracker": "tracker: none",
    }
    assert about.settings["trainer.lr"] == 0.002 and len(about.curves["train/loss"]) == 20
    assert about.links == {"record": "run.json", "numbers": "summary.json", "curves as data": "metrics.jsonl"}


def test_a_training_that_was_resumed_says_from_where(tmp_path: Path):
    start = {"policy": "resume", "checkpoint": "outputs/7/checkpoints/checkpoint-90"}
    about = about_run(planted(tmp_path / "7", {**TRAINED, "start": start}), TUNED)
    assert about.facts["training"] == "3 epochs, resumed from checkpoint-90, learning rate 0.002, seed 3"


def test_an_evaluation_has_the_facts_of_the_training_beside_its_adapter(trained: Path, tmp_path: Path):
    own = {**TRAINED, "command": "eval", "overrides": [], "settings": {}, "adapters": {"tuned": {"adapter": str(trained / "adapter")}}}
    about = about_run(planted(tmp_path / "outputs" / "8", {key: own[key] for key in own if key != "data"}), TUNED)
    assert about.facts["run"] == "outputs/8" and about.facts["data"] == "mine: 5 rows of my rows.jsonl"
    assert about.facts["training"].startswith("20 steps") and "train/loss" in about.curves
    again = planted(tmp_path / "outputs" / "9", {"command": "eval", "status": "running", "rescored": str(trained)})
    assert about_run(again, TUNED).facts["run"] == "outputs/7"


def test_a_job_of_a_sweep_links_its_comparison_and_a_folder_without_record_says_nothing(trained: Path, tmp_path: Path):
    (trained.parent / "multirun.yaml").touch()
    assert list(about_run(trained, TUNED).links.items())[0] == ("comparison of this sweep", "../compare.html")
    assert about_run(tmp_path / "none", TUNED) == About()

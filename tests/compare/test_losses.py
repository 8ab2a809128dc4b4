"""Runs that were trained without an evaluation are compared by their losses."""

import json
from pathlib import Path

import pytest

from sekft.compare.command import compare_sweep, run
from sekft.config import CompareConfig
from sekft.config.job import Job
from sekft.errors import DataError


def plant(folder: Path, lr: float, seed: int, last: float | None, path: str = "mine.jsonl") -> Path:
    """A run with eval=none on data of one's own. last: the validation loss at its end; None: no loss was logged."""
    settings = {"seed": seed, "trainer": {"lr": lr}, "data": {"sources": {"own": {"path": path}}}, "eval": {"episodes": 0}}
    folder.mkdir(parents=True)
    record = {"status": "done", "command": "train", "overrides": [f"trainer.lr={lr}", "eval=none"], "settings": settings}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "summary.json").write_text(json.dumps({"seed": seed, "verdict": "unmeasured (no evaluation)"}))
    if last is not None:
        lines = [
            {"step": 0, "val/loss": 9.0},
            *({"step": step, "train/loss": 8.0 - step} for step in range(1, 4)),
            {"step": 3, "val/loss": last},
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def compared(folder: Path, *runs: Path) -> dict:
    return run(CompareConfig(runs=[str(one) for one in runs]), Job(folder, "compare", None, (), ()))


def test_runs_without_an_evaluation_are_compared_by_their_losses(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    runs = [plant(tmp_path / f"{lr}-{seed}", lr, seed, 6.0 + lr * 1000 + seed) for lr in (0.002, 0.001) for seed in (0, 1)]
    summary = compared(tmp_path / "out", *runs, plant(tmp_path / "empty", 0.003, 0, None))
    printed = capsys.readouterr().out
    table = [line.split() for line in printed.splitlines() if line.startswith("trainer.lr=")]
    assert table == [
        ["trainer.lr=0.001", "2", "9.000", "->", "7.500", "7.000", "->", "5.000"],
        ["trainer.lr=0.002", "2", "9.000", "->", "8.500", "7.000", "->", "5.000"],
    ]
    assert "no episodes to compare, as no run has an evaluation" in printed and "empty: no loss in it" in printed
    assert "not comparable" not in printed and all(len(line) <= 80 for line in printed.splitlines()[:4])
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "9.000 -&gt; 7.500" in page and page.count("<figure>") == 2 and "no episodes to compare" in page
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    assert summary["groups"]["trainer.lr=0.001"] == {"losses": {"0": 7.0, "1": 8.0}, "runs": 2}


def test_losses_over_different_data_are_said_not_to_be_comparable(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    compared(tmp_path / "out", plant(tmp_path / "a", 0.001, 0, 6.0), plant(tmp_path / "b", 0.001, 0, 5.0, "other.jsonl"))
    assert "data.sources.own.path differ: the losses are over different tokens" in capsys.readouterr().out


def test_a_sweep_without_evaluations_has_the_page_too_and_runs_without_a_loss_are_refused(tmp_path: Path):
    plant(tmp_path / "sweep" / "0", 0.001, 0, 6.0)
    compare_sweep(Job(tmp_path / "sweep" / "0", "sweep/0", "sweep", (), (), tmp_path / "sweep"))
    assert "6.000" in (tmp_path / "sweep" / "compare.html").read_text()
    with pytest.raises(DataError, match="none to compare"):
        compared(tmp_path / "out", plant(tmp_path / "empty", 0.001, 0, None))

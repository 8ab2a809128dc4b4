"""The two commands that look at runs: how they fare, and whether what they left still holds."""

import json
from pathlib import Path

import pytest

from sekft.tracking.record import open_run
from tests.conftest import run_command


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("sweep/0", "sweep/1", "alone"):
        with open_run(tmp_path / "outputs" / "train" / name, "train", {}, [], 0) as record:
            record.write_summary({"verdict": "promote" if name == "alone" else "hold"})
    with pytest.raises(ValueError, match="broke"), open_run(tmp_path / "outputs" / "eval" / "bad", "eval", {}, [], 0):
        raise ValueError("[here] it broke")
    return tmp_path


def test_every_run_is_shown_with_its_state_and_reason_and_nothing_is_written(runs: Path):
    before = sorted(runs.rglob("*"))
    told = run_command("status", cwd=runs)
    assert told.returncode == 0, told.stderr
    assert "3 done, 1 failed" in told.stdout and "ValueError: [here] it broke" in told.stdout and "train/alone" in told.stdout
    assert sorted(runs.rglob("*")) == before
    nowhere = run_command("status", "runs=nowhere", cwd=runs)
    assert nowhere.returncode == 1 and nowhere.stderr.startswith("sekft.status: runs=nowhere: no run there;")


def test_of_what_ended_the_last_are_shown_wherever_they_lie(runs: Path):
    for number in range(10):
        with open_run(runs / "outputs" / "train" / f"old{number}", "train", {}, [], 0):
            pass
        file = runs / "outputs" / "train" / f"old{number}" / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"ended": "2020-01-01"}))
    shown = run_command("status", cwd=runs).stdout
    assert "it broke" in shown and "train/alone" in shown and "4 ended runs are not shown" in shown, shown


def test_what_was_submitted_and_has_not_begun_is_shown(runs: Path):
    for name, status, error in (("queued", "submitted", None), ("refused", "failed", "no partition")):
        (runs / "outputs" / "train" / name).mkdir()
        told = {"where": "slurm", "name": f"sekft-train-{name}", "status": status, "id": "17", "error": error}
        (runs / "outputs" / "train" / name / "submission.json").write_text(json.dumps(told))
    shown = run_command("status", cwd=runs).stdout
    assert "1 submitted, 3 done, 2 failed" in shown and "slurm: 17, not started yet" in shown and "no partition" in shown, shown


def test_what_was_changed_is_named_and_the_exit_status_says_so(runs: Path):
    whole = run_command("release", cwd=runs)
    assert whole.returncode == 0 and "4 runs, 0 releases: every file is as it was recorded" in whole.stdout, whole.stderr
    summary = runs / "outputs" / "train" / "sweep" / "1" / "summary.json"
    summary.write_text(summary.read_text().replace("hold", "promote"))
    forged = run_command("release", "do=verify", "runs=[outputs/train,outputs/eval]", cwd=runs)
    assert forged.returncode == 1 and "outputs/train/sweep/1/summary.json: changed since the run was closed" in forged.stdout
    assert forged.stderr.strip() == "sekft.release: 1 faults in the evidence of 4 runs, 0 releases"
    assert "dance" in run_command("release", "do=dance", cwd=runs).stderr

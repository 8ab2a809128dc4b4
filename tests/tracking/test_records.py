"""Runs found afterwards: sweeps, runs and globs; jobs in their order; whatever is not whole is named with the reason."""

import json
from math import isnan
from pathlib import Path

import pytest

from sekft.errors import DataError
from sekft.tracking.records import FinishedRun, UnusableRun, find, newest, read


def made(folder: Path, status: str = "done", error: str | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": status, "error": error, "settings": {}}))
    if status == "done":
        (folder / "summary.json").write_text("{}")
    return folder


def test_jobs_of_a_sweep_come_in_their_order_and_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    jobs = [made(tmp_path / "sweep" / str(at)) for at in (10, 2, 0)]
    (tmp_path / "sweep" / "notes").mkdir()
    assert find([str(tmp_path / "sweep"), str(jobs[0])]) == [jobs[2], jobs[1], jobs[0]]
    monkeypatch.chdir(tmp_path)
    assert find([f"{tmp_path}/swe*/1*"]) == [jobs[0]]
    assert find(["swe*"]) == [Path("sweep/0"), Path("sweep/2"), Path("sweep/10")] and find(["sweep/1*"]) == [Path("sweep/10")]


@pytest.mark.parametrize("place", ["nowhere", "no*where", ""])
def test_a_place_without_a_run_is_refused(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"^runs: .* no run there"):
        find([place])


def test_the_newest_is_the_youngest_that_has_a_run(tmp_path: Path):
    with pytest.raises(DataError, match="has none"):
        newest(tmp_path)
    made(tmp_path / "2026-01-01" / "0"), made(tmp_path / "2026-01-02"), (tmp_path / "2026-01-03").mkdir()
    assert newest(tmp_path).name == "2026-01-02"
    for name, started in (("baseline", "2026-01-01"), ("2026-01-04", "2026-01-04")):
        (made(tmp_path / name) / "run.json").write_text(json.dumps({"status": "done", "started": started}))
    assert newest(tmp_path).name == "2026-01-04"  # by when it was begun, whatever it is called


def test_losses_and_behaviour_are_kept_step_by_step_and_of_one_step_the_last(tmp_path: Path):
    folder = made(tmp_path / "run")
    lines = ('"val/loss": 3.0', '"train/lr": 0.1', '"eval/verified": 0.5, "train/loss": 2.0', '"train/loss": "NaN"')
    steps = (0, 1, 1, 1)
    (folder / "metrics.jsonl").write_text("".join(f'{{"step": {step}, {line}}}\n' for step, line in zip(steps, lines, strict=True)))
    record = read(folder)
    assert isinstance(record, FinishedRun) and set(record.curves) == {"val/loss", "train/loss", "eval/verified"}
    assert record.curves["val/loss"] == ((0, 3.0),) and record.curves["eval/verified"] == ((1, 0.5),)
    assert len(record.curves["train/loss"]) == 1 and isnan(record.curves["train/loss"][0][1])


@pytest.mark.parametrize(
    ("status", "error", "why"),
    [
        ("running", None, "still running, or killed"),
        ("failed", "ModelError: x", "failed: ModelError: x"),
        ("interrupted", "", "no summary"),
    ],
)
def test_a_run_that_did_not_end_well_is_named_with_the_reason(status: str, error: str | None, why: str, tmp_path: Path):
    lost = read(made(tmp_path / "run", status, error))
    assert isinstance(lost, UnusableRun) and why in lost.reason and lost.folder == tmp_path / "run"


def test_a_job_that_was_refused_before_it_began_is_a_run_all_the_same(tmp_path: Path):
    (tmp_path / "sweep" / "0" / ".hydra").mkdir(parents=True)
    (folder,) = find([str(tmp_path / "sweep")])
    lost = read(folder)
    assert isinstance(lost, UnusableRun) and "refused before it began" in lost.reason


DAMAGE = {
    "cut": lambda data: data[: len(data) * 2 // 3] + b"\n",
    "zeros": lambda data: data[:8] + b"\0" * 16 + data[24:],
    "Latin-1": lambda data: data[:-4] + b"\xe9" + data[-4:],
    "null": lambda data: b"null\n",
    "a list": lambda data: b"[1]\n",
}


@pytest.mark.parametrize("name", ["run.json", "summary.json", "metrics.jsonl"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_run_with_a_damaged_file_is_unusable_and_the_file_is_named(tmp_path: Path, name: str, kind: str):
    folder = made(tmp_path / "run")
    (folder / "metrics.jsonl").write_text('{"step": 1, "train/loss": 2.0}\n{"step": 2, "train/loss": 1.0}\n')
    (folder / "summary.json").write_text('{"command": "train", "seed": 3}\n')
    (folder / name).write_bytes(DAMAGE[kind]((folder / name).read_bytes()))
    lost = read(folder)
    assert isinstance(lost, UnusableRun) and str(folder / name) in lost.reason and "\n" not in lost.reason


def test_a_last_line_that_a_killed_process_left_incomplete_is_left_out(tmp_path: Path):
    folder = made(tmp_path / "run")
    (folder / "metrics.jsonl").write_text('{"step": 1, "train/loss": 2.0}\n{"step": 2, "train/lo')
    record = read(folder)
    assert isinstance(record, FinishedRun) and record.curves["train/loss"] == ((1, 2.0),)

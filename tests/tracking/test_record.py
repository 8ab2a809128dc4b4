"""The run record is the truth on disk, however the run ended."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import sekft
from sekft.errors import DataError, SettingsError
from sekft.tracking.digest import hash_code
from sekft.tracking.events import faults
from sekft.tracking.record import open_run

LOGS_FOR_EVER = """
from itertools import count
from pathlib import Path
from sekft.tracking.events import faults
from sekft.tracking.digest import hash_code
from sekft.tracking.record import open_run
with open_run(Path("run"), "train", {}, [], 0) as run:
    for step in count():
        run.log({"train/loss": 1 / (step + 1), "train/lr": 0.1}, step)
"""


def read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_is_on_record_while_it_runs_and_done_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    with open_run(folder, "train", {"lora": {"r": 8}}, ["lora.r=8"], seed=3):
        opened = read(folder / "run.json")
    closed = read(folder / "run.json")
    assert (opened["status"], opened["ended"], opened["error"]) == ("running", None, None)
    assert (closed["status"], closed["error"]) == ("done", None)
    assert closed["ended"] >= closed["started"]
    assert (closed["command"], closed["seed"], closed["overrides"], closed["settings"]) == (
        "train",
        3,
        ["lora.r=8"],
        {"lora": {"r": 8}},
    )
    assert {"schema_version", "versions", "python", "platform", "git"} <= set(closed)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ValueError("two\nlines"), "failed", "ValueError: two lines"),
        (DataError("the file is empty"), "failed", "the file is empty"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
        (SystemExit(143), "interrupted", "SystemExit: 143"),
    ],
)
def test_a_run_that_breaks_off_says_how_and_why(tmp_path: Path, error: BaseException, status: str, text: str) -> None:
    with pytest.raises(type(error)), open_run(tmp_path, "train", {}, [], seed=0):
        raise error
    closed = read(tmp_path / "run.json")
    assert (closed["status"], closed["error"]) == (status, text)


def test_metrics_are_read_while_the_run_goes_on(tmp_path: Path) -> None:
    with open_run(tmp_path, "train", {}, [], seed=0) as run:
        run.log({"train/loss": float("nan")}, step=2)
        run.log({"val/loss": 1}, step=1)
        first, second = lines(tmp_path / "metrics.jsonl")
    assert (first["step"], first["train/loss"]) == (2, "NaN")
    assert (second["step"], second["val/loss"]) == (1, 1.0)
    assert first["time"] <= second["time"]


def test_a_summary_is_replaced_as_a_whole(tmp_path: Path) -> None:
    with open_run(tmp_path, "train", {}, [], seed=0) as run:
        run.write_summary({"verdict": "hold", "more": list(range(1000))})
        run.write_summary({"verdict": "promote"})
        with pytest.raises(TypeError):
            run.write_summary({"verdict": object()})
    assert read(tmp_path / "summary.json") == {"verdict": "promote"}


def test_a_second_run_in_the_same_folder_does_not_mix_with_the_first(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        with open_run(tmp_path, "train", {}, [], seed=seed) as run:
            run.log({"train/loss": float(seed)}, step=0)
            if seed < 3:
                run.write_summary({"seed": seed})
    assert [read(tmp_path / name)["seed"] for name in ("run.1.json", "run.2.json", "run.json")] == [1, 2, 3]
    assert [len(lines(tmp_path / name)) for name in ("metrics.1.jsonl", "metrics.2.jsonl", "metrics.jsonl")] == [1, 1, 1]
    assert read(tmp_path / "summary.2.json") == {"seed": 2}
    assert not (tmp_path / "summary.json").exists()


def test_a_killed_run_leaves_whole_lines_and_stays_marked_as_running(tmp_path: Path) -> None:
    metrics = tmp_path / "run" / "metrics.jsonl"
    source = str(Path(sekft.__file__).parents[1])
    child = subprocess.Popen([sys.executable, "-c", LOGS_FOR_EVER], cwd=tmp_path, env=os.environ | {"PYTHONPATH": source})
    try:
        patience = time.monotonic() + 30
        while not (metrics.exists() and metrics.stat().st_size > 50_000):
            assert child.poll() is None and time.monotonic() < patience
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert metrics.read_text().endswith("}\n")
    steps = [line["step"] for line in lines(metrics)]
    assert steps == list(range(len(steps)))
    assert len(steps) > 100
    assert read(tmp_path / "run" / "run.json")["status"] == "running"


def test_a_second_run_in_a_folder_where_one_is_under_way_is_refused_and_touches_nothing(tmp_path: Path):
    with open_run(tmp_path, "train", {}, [], 0) as record:
        record.log({"train/loss": 1.0}, 1)
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        with (
            pytest.raises(SettingsError, match=f"{tmp_path}: another process writes its run there"),
            open_run(tmp_path, "train", {}, [], 1),
        ):
            pass
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    with open_run(tmp_path, "train", {}, [], 1):
        assert (tmp_path / "run.1.json").exists()


def test_what_becomes_known_on_the_way_stands_in_the_record_at_once_and_to_the_end(tmp_path: Path) -> None:
    with open_run(tmp_path, "train", {}, [], 0, {"start": {"policy": "bootstrap"}}) as run:
        assert read(tmp_path / "run.json")["start"] == {"policy": "bootstrap"}
        run.add_facts(data={"shell": {"rows": 3}})
        assert (read(tmp_path / "run.json")["data"], read(tmp_path / "run.json")["status"]) == ({"shell": {"rows": 3}}, "running")
        run.write_summary({"verdict": "hold"})
    closed = read(tmp_path / "run.json")
    assert (closed["status"], closed["verdict"], closed["data"]["shell"]["rows"]) == ("done", "hold", 3)
    assert closed["code"] == hash_code()["code"] and "audit.jsonl" in closed["artefacts"] and closed["hardware"]["cores"] >= 1
    assert list(faults(tmp_path)) == []

"""The condition of a run follows from its files: from its last heartbeat and its last progress."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sekft.tracking import heartbeat
from sekft.tracking.condition import SILENT_S, condition
from sekft.tracking.record import open_run

OPEN = """
import sys, time
from pathlib import Path
from sekft.tracking import heartbeat
from sekft.tracking.record import open_run
heartbeat.INTERVAL_S = 0.05
with open_run(Path("run"), "train", {}, [], 0):
    heartbeat.stage("train")
    heartbeat.progress(3, 12, "steps")
    time.sleep(0.3)
    print("there", flush=True)
    time.sleep(60)
"""


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture
def running(tmp_path: Path):
    """A run of another process, 3 of 12 steps done."""
    process = subprocess.Popen([sys.executable, "-c", OPEN], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "there\n"
    yield tmp_path / "run", process
    process.kill()
    process.wait()


def test_a_run_is_alive_then_stalled_then_dead(running: tuple[Path, subprocess.Popen[str]]):
    folder, process = running
    now = condition(folder, stalled_s=600)
    assert (now.state, now.stage, now.share, now.reason) == ("alive", "train", 0.25, "then eval") and now.left_s is not None
    stalled = condition(folder, stalled_s=5, now=later(10))
    assert stalled.state == "stalled" and stalled.reason.endswith("s, at 3 of 12 steps")
    assert condition(folder, 600, later(SILENT_S + 1)).state == "dead"  # as on another machine, which sees only the file
    process.kill()
    process.wait()
    dead = condition(folder, stalled_s=600)
    assert dead.state == "dead" and dead.reason.startswith("its process is gone, no heartbeat for ")


def test_a_run_is_alive_although_the_clock_is_set_back(running: tuple[Path, subprocess.Popen[str]]):
    now = condition(running[0], 600, later(-7200))
    assert (now.state, now.share, now.left_s) == ("alive", 0.25, None)


def test_the_condition_of_an_ended_run_is_how_it_ended(tmp_path: Path):
    with open_run(tmp_path / "good", "train", {}, [], 0) as record:
        record.write_summary({"verdict": "promote"})
    with pytest.raises(ValueError, match="why"), open_run(tmp_path / "bad", "eval", {}, [], 0):
        raise ValueError("why")
    with pytest.raises(KeyboardInterrupt), open_run(tmp_path / "stopped", "train", {}, [], 0):
        raise KeyboardInterrupt
    states = {name: condition(tmp_path / name, 600) for name in ("good", "bad", "stopped")}
    assert [(one.state, one.reason) for one in states.values()] == [
        ("done", "promote"),
        ("failed", "ValueError: why"),
        ("interrupted", "KeyboardInterrupt"),
    ]


def test_an_incomplete_file_is_no_crash(tmp_path: Path):
    (tmp_path / "run.json").write_text('{"command": "train", "status": "run')
    assert condition(tmp_path, 600).state == "unreadable"
    (tmp_path / "run.json").write_text('{"command": "train", "status": "running"}')
    assert (condition(tmp_path, 600).state, condition(tmp_path, 600).reason) == ("dead", "no heartbeat was ever written")


def test_a_heartbeat_names_the_next_stage_and_nothing_is_written_outside_a_run(tmp_path: Path):
    heartbeat.stage("train")
    heartbeat.progress(1, 2, "steps")
    with heartbeat.heartbeat(tmp_path, ("load", "train", "eval")):
        state = json.loads((tmp_path / "heartbeat.json").read_text())
        assert (state["stage"], state["next"], state["done"], state["of"]) == ("load", "train", 0, None)
        heartbeat.stage("eval")
        heartbeat.progress(2, 8, "episodes")
    state = json.loads((tmp_path / "heartbeat.json").read_text())
    assert (state["stage"], state["next"], state["done"], state["of"], state["what"]) == ("eval", None, 2, 8, "episodes")

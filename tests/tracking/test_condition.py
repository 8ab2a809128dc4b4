"""How a run fares is told from its files: by what it did last, and when."""

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
heartbeat.BEAT_S = 0.05
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
    assert (now.state, now.stage, now.share, now.why) == ("alive", "train", 0.25, "then evaluation") and now.left_s is not None
    stalled = condition(folder, stalled_s=5, now=later(10))
    assert stalled.state == "stalled" and stalled.why.endswith("s, at 3 of 12 steps")
    assert condition(folder, 600, later(SILENT_S + 1)).state == "dead"  # as on another machine, where only the beats are seen
    process.kill()
    process.wait()
    dead = condition(folder, stalled_s=600)
    assert dead.state == "dead" and dead.why.startswith("its process is gone, no sign for ")


def test_a_clock_that_is_set_back_kills_nobody(running: tuple[Path, subprocess.Popen[str]]):
    now = condition(running[0], 600, later(-7200))
    assert (now.state, now.share, now.left_s) == ("alive", 0.25, None)


def test_a_run_that_ended_says_how(tmp_path: Path):
    with open_run(tmp_path / "good", "train", {}, [], 0) as record:
        record.summary({"verdict": "promote"})
    with pytest.raises(ValueError, match="why"), open_run(tmp_path / "bad", "eval", {}, [], 0):
        raise ValueError("why")
    with pytest.raises(KeyboardInterrupt), open_run(tmp_path / "stopped", "train", {}, [], 0):
        raise KeyboardInterrupt
    states = {name: condition(tmp_path / name, 600) for name in ("good", "bad", "stopped")}
    assert [(one.state, one.why) for one in states.values()] == [
        ("done", "promote"),
        ("failed", "ValueError: why"),
        ("interrupted", "KeyboardInterrupt"),
    ]


def test_half_a_file_is_no_crash(tmp_path: Path):
    (tmp_path / "run.json").write_text('{"command": "train", "status": "run')
    assert condition(tmp_path, 600).state == "unreadable"
    (tmp_path / "run.json").write_text('{"command": "train", "status": "running"}')
    assert (condition(tmp_path, 600).state, condition(tmp_path, 600).why) == ("dead", "it never gave a sign")


def test_a_heart_says_what_comes_next_and_nothing_beats_outside_a_run(tmp_path: Path):
    heartbeat.stage("train")
    heartbeat.progress(1, 2, "steps")
    with heartbeat.beating(tmp_path, ("load", "train", "test")):
        told = json.loads((tmp_path / "heartbeat.json").read_text())
        assert (told["stage"], told["next"], told["done"], told["of"]) == ("load", "train", 0, None)
        heartbeat.stage("eval")
        heartbeat.progress(2, 8, "episodes")
    told = json.loads((tmp_path / "heartbeat.json").read_text())
    assert (told["stage"], told["next"], told["done"], told["of"], told["what"]) == ("test", None, 2, 8, "episodes")

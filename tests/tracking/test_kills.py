"""The watch over killed trainings sees what they claim wrongly; the killing itself is `python -m tests.tracking.kills`."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tracking.kills import EPISODES, claims

KILLED = """
import os, signal
from pathlib import Path
from sekft.tracking.record import open_run
with open_run(Path("outputs/train/sweep/0"), "train", {}, [], 0) as run:
    run.log({"train/loss": 1.0}, 1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path).returncode == -9
    return tmp_path


def half_a_line(run: Path) -> None:
    (run / "metrics.jsonl").write_text('{"step": 1}\n{"st')


def too_early(run: Path) -> None:
    (run / "summary.json").write_text("{}")


def some_episodes(run: Path) -> None:
    (run / "episodes.jsonl").write_text("{}\n" * (EPISODES - 1))


def half_an_event(run: Path) -> None:
    (run / "audit.jsonl").write_text((run / "audit.jsonl").read_text() + '{"event": "clo')


def said_done(run: Path) -> None:
    told = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(told | {"status": "done"}))


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (half_a_line, "metrics.jsonl: JSONDecodeError"),
        (too_early, "a summary without a verdict"),
        (some_episodes, f"{EPISODES - 1} of {3 * EPISODES} episodes under the name of all of them"),
        (half_an_event, "audit.jsonl: JSONDecodeError"),
        (said_done, "the run was never closed"),
    ],
)
def test_a_killed_run_claims_nothing_and_one_that_does_is_named(home: Path, lie: Callable[[Path], None], why: str):
    assert list(claims(home)) == []
    lie(home / "outputs" / "train" / "sweep" / "0")
    assert [fault for fault in claims(home) if why in fault]

"""Killed and resumed, or run twice: the adapter's bytes are those of the undisturbed run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "tests.training.resumed"]
ROOT = Path(__file__).resolve().parents[2]


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finished(*arguments: str | Path) -> str:
    process = start(*arguments)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out.splitlines()[-1]


@pytest.mark.slow
def test_a_run_killed_in_its_second_epoch_and_resumed_ends_in_the_bytes_of_the_undisturbed_one(small_mistral: Path, tmp_path: Path):
    undisturbed = finished(small_mistral, tmp_path / "whole")
    assert undisturbed.startswith("8 ")  # 2.5 epochs of 3 steps: the last epoch is a partial one
    killed = start(small_mistral, tmp_path / "killed")
    checkpoint = tmp_path / "killed" / "checkpoints" / "checkpoint-4"
    while not (checkpoint / "trainer_state.json").exists():  # written last of a checkpoint's files
        assert killed.poll() is None, killed.communicate()[1]
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -9 and not (tmp_path / "killed" / "adapter").exists()
    assert finished(small_mistral, tmp_path / "resumed", checkpoint) == undisturbed
    assert finished(small_mistral, tmp_path / "again") == undisturbed

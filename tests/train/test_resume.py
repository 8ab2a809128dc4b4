"""A killed and resumed training gives the adapter bytes of the uninterrupted one."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.process import start

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    process = start("tests.train.resumed", *arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess("tests.train.resumed", process.returncode or 0, output, errors)


def finished(*arguments: str | Path) -> str:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_run_killed_within_a_step_and_resumed_gives_the_bytes_of_the_uninterrupted_one(small_mistral: Path, tmp_path: Path):
    uninterrupted = finished(small_mistral, tmp_path / "whole")
    assert uninterrupted.startswith("8 ")  # 2.5 epochs of 3 steps: the last epoch is a partial one
    assert run(small_mistral, tmp_path / "killed", "kill=4").returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "adapter").exists()
    checkpoint = tmp_path / "killed" / "checkpoints" / "checkpoint-4"
    assert finished(small_mistral, tmp_path / "resumed", checkpoint) == uninterrupted
    assert finished(small_mistral, tmp_path / "again") == uninterrupted

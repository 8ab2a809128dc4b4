"""Runs that are ended from outside, or whose engine is: what is kept, what is left, what is said."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.proxy import Relay


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def containers() -> set[str]:
    import docker

    client = docker.from_env()
    return {container.id for container in client.containers.list(all=True, filters={"label": "sekft=1"}, ignore_removed=True)}


@pytest.mark.docker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_run_that_is_ended_in_its_exam_leaves_no_container_and_no_result(tmp_path: Path, number: signal.Signals):
    before = containers()
    words = ["split.train_bundles=8", "trainer.max_steps=2", "rehearsal=false", "sandbox=docker", "hydra.run.dir=run"]
    run = subprocess.Popen(
        [sys.executable, "-m", "sekft.train", *words, "eval.episodes=32", "workers=4"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        wait_until(lambda: (tmp_path / "run" / "adapter").exists() and bool(containers() - before), run)
        time.sleep(1.0)
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == {signal.SIGINT: 130, signal.SIGKILL: -9, signal.SIGTERM: 143}[number], errors
    wait_until(lambda: not containers() - before, None)
    assert not (tmp_path / "run" / "summary.json").exists() and not (tmp_path / "run" / "episodes.jsonl").exists()
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()
    assert read(tmp_path / "run" / "run.json")["status"] == ("running" if number is signal.SIGKILL else "interrupted")


@pytest.mark.docker
def test_an_engine_lost_in_the_exam_keeps_the_adapter_and_leaves_it_unmeasured(tmp_path: Path):
    relay = Relay(tmp_path / "engine.sock", "/var/run/docker.sock")
    words = ["split.train_bundles=8", "trainer.max_steps=2", "rehearsal=false", "sandbox=docker", "hydra.run.dir=run"]
    run = subprocess.Popen(
        [sys.executable, "-m", "sekft.train", *words, "eval.episodes=16", "eval.max_reply_tokens=8", "workers=4"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "DOCKER_HOST": f"unix://{tmp_path}/engine.sock"},
    )  # fmt: skip
    try:
        wait_until(lambda: (tmp_path / "run" / "episodes.jsonl.partial").exists(), run)
        relay.cut()
        output, errors = run.communicate(timeout=300)
    finally:
        run.kill()
    assert run.returncode == 0 and "verdict: unmeasured" in output, errors
    summary = read(tmp_path / "run" / "summary.json")
    assert summary["verdict"].startswith("unmeasured") and summary["tuned"]["outcomes"] == {"broken": 16}
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def wait_until(true, run: subprocess.Popen | None, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        assert run is None or run.poll() is None, run.stderr.read()
        time.sleep(0.2)

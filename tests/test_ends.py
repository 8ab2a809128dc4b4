"""Runs that are ended from outside or lose their engine: what is kept, what is removed, what is reported."""

import json
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from sekft.sandbox.backend.engine import OWNER
from tests.conftest import changed
from tests.dockerd import dockerd, missing
from tests.process import Command, start
from tests.proxy import Relay
from tests.sandbox.chaos import Daemon

PARTIAL = "episodes.*.jsonl.partial"  # of an evaluation that has not ended
SIGNALS = [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.exhaustive) for number in (signal.SIGINT, signal.SIGKILL))]


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def containers(run: subprocess.Popen | Command) -> set[str]:
    """The ids of the containers that this process made; other tests have containers in the same engine."""
    import docker

    label = {"label": f"{OWNER}={socket.gethostname()}:{run.pid}"}
    return {container.id for container in docker.from_env().containers.list(all=True, filters=label, ignore_removed=True)}


@pytest.fixture(scope="module")
def training(recorded: Path) -> list[str]:
    """The settings of a short training on recorded episodes."""
    return [
        f"data.sources.shell.path={recorded}",
        "trainer.max_steps=2",
        "trainer.batch=2",
        "rehearsal=false",
        "sandbox=docker",
        "tracker=none",
        "hydra.run.dir=run",
    ]


@pytest.mark.docker
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_run_ended_during_its_evaluation_leaves_no_container_and_no_result(training: list[str], tmp_path: Path, number: signal.Signals):
    words = (*training, "eval.episodes=32", "workers=4")
    run = start("sekft.train", *words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: (tmp_path / "run" / "adapter").exists() and bool(containers(run)), run)
        time.sleep(1.0)
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == {signal.SIGINT: 130, signal.SIGKILL: -9, signal.SIGTERM: 143}[number], errors
    wait_until(lambda: not containers(run), None)
    assert not (tmp_path / "run" / "summary.json").exists() and not (tmp_path / "run" / "episodes.jsonl").exists()
    assert number is signal.SIGKILL or errors.endswith("go on: python -m sekft.train start=resume parent=run\n")
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()
    assert read(tmp_path / "run" / "run.json")["status"] == ("running" if number is signal.SIGKILL else "interrupted")


@pytest.mark.docker
def test_losing_the_engine_during_the_evaluation_keeps_the_adapter_and_leaves_it_unmeasured(training: list[str], tmp_path: Path):
    relay = Relay(tmp_path / "engine.sock", "/var/run/docker.sock")
    run = start(
        "sekft.train", *training, "eval.episodes=16", "eval.max_reply_tokens=8", "workers=4",
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, DOCKER_HOST=f"unix://{tmp_path}/engine.sock",
    )  # fmt: skip
    try:
        wait_until(lambda: any((tmp_path / "run").glob(PARTIAL)), run)
        relay.cut()
        output, errors = run.communicate(timeout=300)
    finally:
        run.kill()
    assert run.returncode == 0 and "verdict: unmeasured" in output, errors
    summary = read(tmp_path / "run" / "summary.json")
    assert summary["verdict"].startswith("unmeasured")
    assert summary["tuned"]["outcomes"]["broken"] >= 12  # a few of the 16 may have ended before
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def evaluation(cwd: Path, name: str, *words: str, **environment: str) -> subprocess.Popen[str] | Command:
    """Start a small evaluation of base and reference, in the folder `name` of cwd."""
    small = (
        "model.weights=random",  # random replies, so that episodes take long enough to be interrupted
        "eval.episodes=5",
        "eval.max_reply_tokens=8",
        "eval.baselines=false",
        "workers=4",
        "tracker=none",
        f"hydra.run.dir={name}",
    )
    return start("sekft.eval", *changed(small, *words), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environment)


def played(folder: Path) -> list[dict]:
    """The recorded episodes, one JSON line each."""
    path = next((file for pattern in ("episodes.jsonl", PARTIAL) for file in folder.glob(pattern)), None)
    return [json.loads(line) for line in path.open()] if path else []


def require_whole(folder: Path) -> dict:
    """Check that all files of a finished evaluation are there and none is half-written; returns its summary."""
    assert {"summary.json", "run.json", "report.html", "episodes.jsonl", "episodes"} <= {path.name for path in folder.iterdir()}
    assert not [path for path in folder.rglob("*") if path.suffix in (".partial", ".tmp")]
    assert (folder / "report.html").read_text().rstrip().endswith("</html>") and read(folder / "run.json")["status"] == "done"
    return read(folder / "summary.json")


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.exhaustive
def test_an_engine_killed_during_an_evaluation_costs_time_if_it_returns_and_else_the_verdict(tmp_path: Path):
    import docker

    runs = [evaluation(tmp_path, "calm", "sandbox=bwrap")]
    with dockerd() as host:
        daemon = Daemon(host)
        try:
            runs.append(evaluation(tmp_path, "back", "sandbox=docker", DOCKER_HOST=host))
            wait_until(lambda: len(played(tmp_path / "back")) >= 2, runs[-1])
            daemon.kill()
            time.sleep(1.5)
            daemon.start()
            _, errors = runs[-1].communicate(timeout=300)
            assert runs[-1].returncode == 0, errors
            known = sorted((tmp_path / "outputs" / "episodes").iterdir())
            runs.append(evaluation(tmp_path, "gone", "sandbox=docker", "eval.max_turns=11", "eval.require=hold", DOCKER_HOST=host))
            wait_until(lambda: len(played(tmp_path / "gone")) >= 2, runs[-1])
            daemon.kill()
            before = {episode["id"] for episode in played(tmp_path / "gone")}
            output, errors = runs[-1].communicate(timeout=300)
            daemon.start()  # a container that was not removed would be listed again
            client = docker.DockerClient(host)
            wait_until(lambda: not client.containers.list(all=True, ignore_removed=True), None)
        finally:
            daemon.end()
            for run in runs:
                run.kill()
    summary = require_whole(tmp_path / "back")
    assert "played once more" in (tmp_path / "back" / "eval.log").read_text()
    assert summary["reference"]["rates"]["verified"]["k"] == 5 and "broken" not in summary["base"]["outcomes"]
    assert played(tmp_path / "back") == played(tmp_path / "calm")
    require_broken(tmp_path / "gone", before, errors)
    assert runs[-1].returncode == 3 and "verdict: unmeasured" in output
    assert sorted((tmp_path / "outputs" / "episodes").iterdir()) == known


def require_broken(folder: Path, before: set[str], errors: str) -> None:
    """Check the episodes and reports of an evaluation whose engine did not return. before: ids of the episodes finished by then."""
    summary, episodes = require_whole(folder), played(folder)
    broken = {episode["id"] for episode in episodes if episode["outcome"] == "broken"}
    assert len(episodes) == 10 and broken and not broken & before
    assert all(
        episode["ending"] == "broken" and episode["checked"] is None and episode["reason"]
        for episode in episodes
        if episode["id"] in broken
    )
    log = (folder / "eval.log").read_text()
    assert all(f"{episode} broke (" in log for episode in broken)
    for agent in ("base", "reference"):
        assert summary[agent]["outcomes"]["broken"] == sum(episode.endswith(f"@{agent}") for episode in broken)
    share = f"{summary['base']['outcomes']['broken'] / 5:.0%}"
    assert summary["verdict"] == f"unmeasured ({share} of base's episodes broken, allowed eval.max_broken_share=0.1)"
    assert errors.splitlines() == [f"sekft.eval: eval.require=hold: the verdict is {summary['verdict']}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sandbox", "number"),
    [("bwrap", signal.SIGINT), pytest.param("docker", signal.SIGTERM, marks=[pytest.mark.docker, pytest.mark.exhaustive])],
)
def test_an_interrupted_evaluation_keeps_finished_episodes_and_is_repeated(tmp_path: Path, sandbox: str, number: signal.Signals):
    run = evaluation(tmp_path, "run", f"sandbox={sandbox}", "eval.episodes=16")
    try:
        wait_until(lambda: len(played(tmp_path / "run")) >= 4, run)
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(number)
        _, errors = run.communicate(timeout=300)
    finally:
        run.kill()
    status, word = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}[number]
    reason, line = errors.splitlines()
    assert (run.returncode, reason) == (status, f"sekft.eval: {word}; all files written so far are complete")
    assert line.startswith("go on: python -m sekft.eval model.weights=random ") and line.endswith(" eval.episodes=16")
    wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in children), None, 30)
    wait_until(lambda: sandbox != "docker" or not containers(run), None)
    left = {path.name for path in (tmp_path / "run").iterdir()} - {file.name for file in (tmp_path / "run").glob(PARTIAL)}
    assert left == {"run.json", "metrics.jsonl", "heartbeat.json", "audit.jsonl", "eval.log", ".hydra", ".run"}
    assert read(tmp_path / "run" / "run.json")["status"] == "interrupted" and not (tmp_path / "outputs" / "episodes").exists()
    kept = played(tmp_path / "run")
    assert 4 <= len(kept) < 32 and all(episode["ending"] != "broken" for episode in kept)
    if sandbox == "bwrap":
        again = evaluation(tmp_path, "run", f"sandbox={sandbox}", "eval.episodes=16")
        output, errors = again.communicate(300)
        assert again.returncode == 0 and require_whole(tmp_path / "run")["remembered"] == [], errors
        assert re.search(rf"run: {len(kept)} episodes were played before; the evaluation goes on", output)
        whole = {episode["id"]: episode for episode in played(tmp_path / "run")}
        assert len(whole) == 32 and all(whole[episode["id"]] == episode for episode in kept)


def wait_until(true, run: subprocess.Popen | Command | None, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the condition was not met in time"
        assert run is None or run.poll() is None, run.communicate()
        time.sleep(0.2)

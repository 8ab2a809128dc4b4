"""A resident base as a service: jobs survive on disk, a worker is replaced, and adapters are those of a process of their own."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sekft.errors import JobError
from sekft.resident.commands import RemoteCommands
from sekft.where.resident import events, request
from tests.conftest import run_command
from tests.process import Command, start

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("resident service")]
BARE = ["sandbox=bwrap", "tracker=none", "eval=none", "rehearsal=false", "split.train_scenarios=16", "trainer.batch=2"]
SHORT = [*BARE, "trainer.max_steps=3"]
LONG = [*BARE, "trainer.max_steps=4000", "trainer.save_every_steps=3"]


@contextmanager
def service(folder: Path) -> Iterator[tuple[Path, subprocess.Popen[str] | Command]]:
    """(socket, process) of a service; killed at the end if it still runs."""
    socket = folder / "hot"
    with (folder / "service.log").open("a") as log:
        process = start("sekft.resident", "model.device=cpu", f"socket={socket}", cwd=folder, stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or answers(socket))
        yield socket, process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def hot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of one service for many tests. At the end SIGTERM stops it with status 0, and its socket is removed."""
    folder = tmp_path_factory.mktemp("hot")
    with service(folder) as (socket, process):
        yield socket
        process.terminate()
        assert process.wait(60) == 0 and not socket.exists()


def answers(socket: Path) -> bool:
    try:
        return bool(request(socket, "GET", "/status"))
    except JobError:
        return False


def until(true: Callable[[], object], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.1)


def submit(socket: Path, folder: Path, *words: str) -> str:
    return str(request(socket, "POST", "/jobs", {"words": list(words), "typed_in": str(folder)})["job"])


def ended(socket: Path, job: str) -> dict[str, object]:
    return list(events(socket, job))[-1]


def steps(socket: Path, job: str) -> int:
    return len(request(socket, "GET", f"/jobs/{job}/losses"))


def test_a_command_on_the_resident_base_gives_what_a_separate_process_gives(hot: Path, tmp_path: Path):
    loaded = request(hot, "GET", "/status")["base"]
    here = run_command("train", *SHORT, "hydra.run.dir=there", f"resident={hot}", cwd=tmp_path)
    assert here.returncode == 0, here.stderr
    assert "loss: " in here.stdout and "adapter: there/adapter" in here.stdout
    wrong = run_command("train", "lora.r=-3", f"resident={hot}", cwd=tmp_path)
    assert wrong.returncode == 1 and "sekft.train: lora.r: found -3, allowed: 0 or more" in wrong.stdout and not wrong.stderr
    job = here.stdout.split()[1]
    lines = list(events(hot, job))
    assert [line["step"] for line in lines if "train/loss" in line] == [1, 2, 3] and lines[-1]["status"] == "done"
    adapter, *checkpoints = [item for item in request(hot, "GET", "/adapters") if item["job"] == job]
    assert adapter["kind"] == "adapter" and Path(adapter["path"]) == tmp_path / "there" / "adapter"
    assert {item["kind"] for item in checkpoints} == {"checkpoint"}
    assert request(hot, "GET", "/status")["base"].rpartition(";")[2] == loaded.rpartition(";")[2] == " 1 loaded so far"
    alone = run_command("train", *SHORT, "model.device=cpu", "hydra.run.dir=alone", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    file = Path("adapter") / "adapter_model.safetensors"
    assert (tmp_path / "there" / file).read_bytes() == (tmp_path / "alone" / file).read_bytes()


def test_a_waiting_and_a_running_job_can_be_cancelled_and_the_base_stays(hot: Path, tmp_path: Path):
    first, second = submit(hot, tmp_path, "train", *LONG), submit(hot, tmp_path, "train", *SHORT)
    until(lambda: steps(hot, first) > 2)
    worker = request(hot, "GET", "/status")["worker_pid"]
    assert request(hot, "DELETE", f"/jobs/{second}")["status"] == "cancelled"
    request(hot, "DELETE", f"/jobs/{first}")
    cancelled = ended(hot, first)
    assert (cancelled["status"], cancelled["exit_status"]) == ("cancelled", 130)
    (run,) = cancelled["runs"]
    assert json.loads((Path(run) / "run.json").read_text())["status"] == "interrupted"
    with pytest.raises(JobError, match=f"job {first}: cancelled already"):
        request(hot, "DELETE", f"/jobs/{first}")
    assert ended(hot, submit(hot, tmp_path, "train", *SHORT))["status"] == "done"
    assert request(hot, "GET", "/status")["worker_pid"] == worker


@pytest.mark.exhaustive
def test_a_killed_worker_fails_its_job_and_the_next_job_has_a_new_base(hot: Path, tmp_path: Path):
    first, second = submit(hot, tmp_path, "train", *LONG), submit(hot, tmp_path, "train", *SHORT)
    until(lambda: steps(hot, first) > 2)
    before = request(hot, "GET", "/status")
    assert before["running"] == first and before["queued"] == [second]
    os.kill(before["worker_pid"], signal.SIGKILL)
    assert ended(hot, first)["error"] == "the worker was killed by SIGKILL"
    assert ended(hot, second)["status"] == "done"
    assert request(hot, "GET", "/status")["worker_pid"] != before["worker_pid"]


def point(name: str, typed: str) -> dict[str, object]:
    return {"id": name, "context": [{"role": "user", "content": "$ "}], "continuation": typed, "reason": "so that it is seen"}


def test_decision_points_are_used_once_and_released_by_a_job_without_an_adapter(hot: Path, tmp_path: Path):
    for name in ("one", "two", "one"):
        assert request(hot, "POST", "/samples", point(name, "cat motd"))["job"] is None
    with pytest.raises(JobError, match="sample one: a different one with this id was posted before"):
        request(hot, "POST", "/samples", point("one", "ls"))
    with pytest.raises(JobError, match="sample: continuation: .*blank"):
        request(hot, "POST", "/samples", point("three", " "))
    order = {"typed_in": str(tmp_path), "samples": True}
    steps_of = ["sandbox=bwrap", "tracker=none", "eval=none", "rehearsal=false", "trainer.max_steps=2"]
    failed = request(hot, "POST", "/jobs", order | {"words": ["train", *steps_of, "lora.r=-1"]})["job"]
    assert ended(hot, failed)["status"] == "failed"
    assert [sample["job"] for sample in request(hot, "GET", "/samples")] == [None, None]
    (tmp_path / "more.jsonl").write_text(json.dumps(point("four", "ls")) + "\n")
    assert RemoteCommands(hot).run(["post", str(tmp_path / "more.jsonl")]) == 0
    learned = request(hot, "POST", "/jobs", order | {"words": ["train", *steps_of]})["job"]
    done = ended(hot, learned)
    assert done["status"] == "done", list(events(hot, learned))
    assert [sample["job"] for sample in request(hot, "GET", "/samples")] == [learned] * 3
    summary = json.loads((Path(done["runs"][0]) / "summary.json").read_text())
    assert summary["data"]["rows"] == 3
    with pytest.raises(JobError, match="samples: 0 wait"):
        request(hot, "POST", "/jobs", order | {"words": ["train"]})


def test_every_refusal_is_one_line(hot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    nobody = run_command("train", f"resident={tmp_path / 'nobody'}", cwd=tmp_path)
    assert nobody.returncode == 1 and nobody.stderr.startswith(f"sekft.train: resident={tmp_path / 'nobody'}: nothing listens there;")
    for body, message in (
        ({"words": ["dance"], "typed_in": "/"}, "words: found 'dance', allowed first: train, eval,"),
        ({"words": ["train"], "typed_in": "/nowhere"}, "typed_in: /nowhere: no such folder"),
        ({"words": "train"}, "words: Input should be a valid array"),
    ):
        with pytest.raises(JobError, match=message):
            request(hot, "POST", "/jobs", body)
    with pytest.raises(JobError, match="job 99: no such job"):
        request(hot, "GET", "/jobs/99/losses")
    second = run_command("resident", f"socket={tmp_path / 'other'}", f"queue={hot.parent / 'outputs/resident/queue'}", cwd=tmp_path)
    assert second.returncode == 1 and "outputs/resident/queue: in use by another service" in second.stderr
    assert RemoteCommands(hot).run(["list"]) == 0 and RemoteCommands(hot).run(["status"]) == 0 and RemoteCommands(hot).run(["cancel"]) == 1
    assert "running: None" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_a_service_that_was_killed_or_stopped_continues_its_job(tmp_path: Path):
    steps_of = [*BARE, "trainer.max_steps=24", "trainer.save_every_steps=3"]
    with service(tmp_path) as (socket, process):
        first, second = submit(socket, tmp_path, "train", *steps_of, "hydra.run.dir=cut"), submit(socket, tmp_path, "train", *SHORT)
        until(lambda: steps(socket, first) > 4)
        worker = request(socket, "GET", "/status")["worker_pid"]
        process.kill()
        until(lambda: not Path(f"/proc/{worker}").exists(), 60)
    with service(tmp_path) as (socket, process):
        until(lambda: steps(socket, first) > 9)
        process.terminate()
        process.wait(60)
        assert json.loads((tmp_path / "cut" / "run.json").read_text())["status"] == "interrupted"  # the record was closed
    with service(tmp_path) as (socket, process):
        lines = list(events(socket, first))
        assert any("resumes from checkpoint-" in line.get("output", "") for line in lines) and lines[-1]["status"] == "done"
        assert [line["step"] for line in request(socket, "GET", f"/jobs/{first}/losses")] == list(range(1, 25))
        assert ended(socket, second)["status"] == "done"
    whole = run_command("train", *steps_of, "model.device=cpu", "hydra.run.dir=whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    file = Path("adapter") / "adapter_model.safetensors"
    assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()

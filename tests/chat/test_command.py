"""The command line: one reply, a conversation, a supervised episode, a review, and refused settings."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from sekft.data import decision
from sekft.sandbox.backend.engine import OWNER
from tests.conftest import run_command
from tests.process import start

OTHERS = (signal.SIGINT, signal.SIGKILL, signal.SIGHUP)
SIGNALS = [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.exhaustive) for number in OTHERS)]


def chat(*words: str, cwd: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    return run_command("chat", "model.device=cpu", *words, cwd=cwd, input=typed, DOCKER_HOST="unix:///nowhere")


def test_a_prompt_gets_one_reply_and_nothing_else(tmp_path: Path):
    done = chat("--prompt", "$ ", "max_tokens=8", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ls\n", "")


def test_a_conversation_goes_on_line_by_line_until_the_input_ends(tmp_path: Path):
    done = chat("--interactive", "max_tokens=8", cwd=tmp_path, typed="$ \n/new\n$ \n" + "word " * 5000 + "\n$ \n")
    first, *_ = done.stdout.splitlines()
    assert done.returncode == 0 and first == "ls" and len(done.stdout.splitlines()) == 3
    assert done.stderr.count("\n") == 1 and "/new begins another" in done.stderr


def test_the_suite_prints_the_loss_of_the_base_and_the_rates_of_its_answers(tmp_path: Path):
    done = chat("--test", "eval=tinystories", "eval.suite_stories=2", "eval.max_reply_tokens=8", cwd=tmp_path)
    first, *rest = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "") and first.startswith("loss of prose: base 7.")
    assert any(line.startswith("format_kept: base ") for line in rest)


@pytest.mark.slow
def test_a_take_over_is_saved_reviewed_and_learned(tmp_path: Path):
    watched = chat("mode=shell", "sandbox=bwrap", "decisions=d.jsonl", cwd=tmp_path, typed="\nexit\nnothing is asked for\n")
    assert watched.returncode == 0, watched.stderr
    assert "exit, false_exit" in watched.stdout.splitlines()[-1] and "tiny+human" in watched.stdout.splitlines()[-1]
    (one,) = decision.load(tmp_path / "d.jsonl")
    assert (one.own, one.continuation, one.reason, len(one.context)) == ("ls", "exit", "nothing is asked for", 3)
    reviewed = chat("mode=review", "candidates=d.jsonl", "decisions=kept.jsonl", cwd=tmp_path, typed="a\n")
    assert reviewed.returncode == 0 and reviewed.stdout.endswith("approved 1; kept in kept.jsonl\n"), reviewed.stderr
    words = [
        "data=[decisions]",
        "mask=continuation",
        "data.sources.decisions.path=kept.jsonl",
        "data.validation_share=0",
        "trainer.lr=1e-3",
    ]
    words += ["eval=none", "tracker=none", "rehearsal=false", "trainer.max_steps=30", "hydra.run.dir=run"]
    learned = run_command("train", *words, cwd=tmp_path)
    assert learned.returncode == 0, learned.stderr
    again = chat("mode=shell", "sandbox=bwrap", "adapter=run/adapter", cwd=tmp_path, typed="ls\n\n\n")
    assert "exit, false_exit" in again.stdout.splitlines()[-1], again.stdout


@pytest.mark.docker
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_supervised_episode_that_is_killed_leaves_no_container(tmp_path: Path, number: signal.Signals):
    import docker

    unused, typed = os.pipe()  # open, so the command waits for a line; nothing is typed
    with (tmp_path / "shown").open("wb") as shown:
        run = start("sekft.chat", "mode=shell", "sandbox=docker", cwd=tmp_path, stdin=unused, stdout=shown, stderr=subprocess.STDOUT)
    filters = {"label": f"{OWNER}={socket.gethostname()}:{run.pid}"}

    def container_exists() -> bool:
        return bool(docker.from_env().containers.list(all=True, filters=filters, ignore_removed=True))

    end = time.monotonic() + 240
    while not (tmp_path / "shown").read_text().endswith("another line] "):  # it waits for the person
        assert run.poll() is None and time.monotonic() < end, (tmp_path / "shown").read_text()
        time.sleep(0.1)
    assert container_exists()
    run.send_signal(number)
    run.wait(timeout=120)
    os.close(unused)
    os.close(typed)
    end = time.monotonic() + 60
    while container_exists():
        assert time.monotonic() < end
        time.sleep(0.2)
    assert run.returncode != 0


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("mode=dance",), ["mode", "dance"]),
        (("mode=shell", "sandbox=bwrap", "scenarios=test", "scenario=500"), ["scenario: found 500, allowed: 1 to 128"]),
        (("mode=review",), ["found neither candidates nor episodes, allowed: candidates=FILE"]),
        (("mode=review", "candidates=nowhere.jsonl"), ["nowhere.jsonl: no such file"]),
        (("mode=review", "episodes=x.jsonl"), ["hint: found nothing"]),
        (("mode=review", "candidates=bad.jsonl"), ["bad.jsonl:1: ", "continuation"]),
        (("adapter=nowhere",), ["adapter=nowhere"]),
        (("top_k=-1",), ["top_k: found -1"]),
        (("mode=shell", "top_k=5"), ["top_k: found 5 with mode=shell, allowed with mode=talk"]),
        (("--prompt",), ["--prompt: no value"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line(tmp_path: Path, words: tuple[str, ...], parts: list[str]):
    line = {"id": "x", "context": [{"role": "user", "content": "$ "}], "continuation": ""}
    (tmp_path / "bad.jsonl").write_text(json.dumps(line) + "\n")
    done = chat(*words, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and all(word in done.stderr for word in parts), done.stderr

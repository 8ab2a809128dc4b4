"""Bad input is one line that names the thing, a non-zero exit, and nothing left behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import run_command


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("train", "lora.r=abc"), ["lora.r: found abc, allowed: a whole number, 0 or more"]),
        (("train", "+lora.rr=8"), ["unknown key lora.rr", "allowed in lora: name, r, alpha"]),
        (("train", "lora=nope"), ["lora: no option nope", "r16, r4, r8"]),
        (("train", "experiment=nope"), ["experiment: no option nope", "demo"]),
        (("train", "data.sources.shell.path=nowhere.jsonl"), ["nowhere.jsonl", "no such file"]),
        (("train", "data.sources.shell.path=empty.jsonl"), ["empty.jsonl", "empty"]),
        (("eval", "scenarios=bad.json"), ["bad.json", "provider: missing"]),
        (("check", "path=bad.json"), ["bad.json", "provider: missing"]),
        (("train", "sandbox=docker"), ["unix:///nowhere", "sandbox=bwrap"]),
        (("train", "model=mistral7b", "sandbox=bwrap"), ["mistralai/Mistral-7B-Instruct-v0.2", "hf download"]),
        (("train", "eval.criterion=nice"), ["eval.criterion", "verified"]),
        (("eval", "eval.gate.loss.tier=big"), ["eval.gate.loss.tier", "critical", "big"]),
        (("train", "trainer.resume_from=nowhere"), ["trainer.resume_from=nowhere"]),
        (("eval", "adapter=nowhere"), ["adapter=nowhere"]),
        (("collect", "split.held_out=[dance]"), ["dance", "move"]),
        (("collect", "imports=nowhere"), ["imports=nowhere", "no such file"]),
        (("collect", "agent=endpoint", "agent.model=x", "agent.url=http://127.0.0.1:9/v1", "sandbox=bwrap"), ["unreachable"]),
        (("train", "lora=none", "model.load_4bit=true"), ["model.load_4bit=true", "lora=r16"]),
        (("train", "trainer.context_frozen=true"), ["trainer.context_frozen=true", "mask=continuation", "found mask=assistant"]),
        (("train", "--data"), ["--data: no value"]),
        (("eval", "hydra.run.dir=empty.jsonl/run"), ["empty.jsonl/run", "Not a directory"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path, words: tuple[str, ...], named: list[str]):
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "bad.json").write_text('{"id": "x", "archetype": "copy", "directives": 3}')
    done = run_command(*words, cwd=tmp_path, DOCKER_HOST="unix:///nowhere")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1 and len(lines) == 1, done.stderr
    assert all(word in lines[0] for word in named), lines[0]
    assert not list(tmp_path.glob("outputs/*/*/summary.json"))


def test_a_disk_that_is_full_at_the_end_is_one_line_and_costs_no_episode(tmp_path: Path):
    (tmp_path / "run").mkdir()
    words = ("sandbox=bwrap", "eval.episodes=2", "eval.max_reply_tokens=4", "eval.baselines=false", "tracker=none", "hydra.run.dir=run")
    # the page is written to this draft before it gets its name; exec keeps the process id
    full = 'ln -s /dev/full run/.report.html.$$.tmp && exec "$@"'
    command = ["sh", "-c", full, "sh", sys.executable, "-m", "sekft.eval", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (1, "sekft.eval: run: No space left on device\n")
    assert len([json.loads(line) for line in (tmp_path / "run" / "episodes.jsonl").open()]) == 4
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    assert not list((tmp_path / "run").glob(".*.tmp")) and not (tmp_path / "run" / "summary.json").exists()
    assert "Traceback" in (tmp_path / "run" / "eval.log").read_text() and len(list((tmp_path / "outputs" / "episodes").iterdir())) == 2


def test_scenarios_from_outside_are_not_taken_to_the_weaker_walls_unasked(tmp_path: Path):
    from sekft.scenario.document import write
    from sekft.scenario.library import make

    write([make("copy", 0)], tmp_path / "scenarios")
    refused = run_command("check", "path=scenarios", cwd=tmp_path, DOCKER_HOST="unix:///nowhere")
    assert refused.returncode == 1 and "only if asked to: sandbox=bwrap" in refused.stderr
    own = run_command("check", "episodes=1", cwd=tmp_path, DOCKER_HOST="unix:///nowhere")
    assert own.returncode == 0 and "sandbox: bwrap" in own.stdout

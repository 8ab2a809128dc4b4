"""A training that was killed goes on to the bytes of an undisturbed one; one that is repeated comes out the same, or it is said why not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sekft.episode import trajectory
from sekft.resident.commands import LocalCommands
from sekft.tracking.events import faults
from tests.eval.planted import agent
from tests.eval.planted_runs import SCENARIOS
from tests.train.weights import digest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("start")]
LINE = ("tracker=none", "eval=none", "rehearsal=false", "data.sources.shell.path=episodes.jsonl", "lora=r4")
STEPS = ("trainer.max_steps=4", "trainer.batch=1", "trainer.save_every_steps=1")


def train(*words: str) -> int:
    return LocalCommands(()).run_program("train", words)


def learn_from(amount: int) -> None:
    trajectory.write(agent("reference", SCENARIOS[:amount], [True] * amount), Path("episodes.jsonl"))


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where whole/ is the undisturbed run."""
    folder, before = tmp_path_factory.mktemp("start"), Path.cwd()
    os.chdir(folder)
    try:
        learn_from(8)
        assert train(*LINE, *STEPS, "hydra.run.dir=whole") == 0
        yield folder
    finally:
        os.chdir(before)


def kill_at(checkpoint: Path, *words: str) -> None:
    """SIGKILL, once there is a checkpoint."""
    command = [sys.executable, "-m", "sekft.train", *words]
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}, stdout=subprocess.DEVNULL) as run:
        while not (checkpoint / "whole.json").exists():
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)


def test_a_run_that_was_killed_goes_on_by_one_word_to_the_same_bytes_and_all_of_it_holds():
    kill_at(Path("killed/checkpoints/checkpoint-2"), *LINE, *STEPS, "hydra.run.dir=killed")
    assert json.loads(Path("killed/run.json").read_text())["status"] == "running"
    assert train("start=resume", "parent=killed") == 0
    assert digest(Path("killed/adapter")) == digest(Path("whole/adapter"))
    record = json.loads(Path("killed/run.json").read_text())
    assert (record["status"], record["start"]["policy"], record["start"]["began"]) == ("done", "resume", "bootstrap")
    assert record["start"]["checkpoint"].startswith("killed/checkpoints/checkpoint-")
    assert record["overrides"] == [*LINE, *STEPS] and list(faults(Path("killed"))) == []
    assert train("start=resume", "parent=killed") == 1  # nothing is left to do


def test_the_record_names_what_the_run_was_made_of():
    record = json.loads(Path("whole/run.json").read_text())
    assert record["data"]["shell"]["rows"] == record["mask"]["rows"] > 0 and len(record["data"]["shell"]["sha256"]) == 64
    assert record["base"]["licence"] == "apache-2.0" and record["base"]["why"] and len(record["base"]["digest"]) == 64
    assert record["render"]["base"] == record["base"]["digest"] and record["device"]["threads"] == torch.get_num_threads()
    summary = json.loads(Path("whole/summary.json").read_text())
    assert record["mask"]["supervised_tokens"] == summary["supervised_tokens"] and record["verdict"] == summary["verdict"]
    assert record["evaluation"] == {"scored_by": "not scored: no evaluation"} and record["sandbox"] is None


def test_a_repeated_run_is_the_same_to_the_byte_until_its_data_is_another(capsys: pytest.CaptureFixture[str]):
    assert train("replay=whole", "hydra.run.dir=again") == 0
    assert "replay: again is byte-identical to whole" in capsys.readouterr().out
    assert json.loads(Path("again/run.json").read_text())["replay_of"] == "whole"
    learn_from(7)
    try:
        assert train("replay=whole", "hydra.run.dir=other") == 1
    finally:
        learn_from(8)
    said = capsys.readouterr()
    assert "replay: different input: data.shell.sha256: " in said.out
    assert "replay: different result: adapter/adapter_model.safetensors: " in said.out
    assert said.err.strip().splitlines()[-1].startswith("sekft.train: other: not as whole: ")


def test_what_was_altered_is_not_repeated(capsys: pytest.CaptureFixture[str]):
    kept = Path("whole/summary.json").read_bytes()
    Path("whole/summary.json").write_bytes(kept.replace(b"unmeasured", b"promote"))
    try:
        assert train("replay=whole", "hydra.run.dir=forged") == 1
    finally:
        Path("whole/summary.json").write_bytes(kept)
    assert "replay=whole: its evidence does not hold: whole/summary.json: changed" in capsys.readouterr().err

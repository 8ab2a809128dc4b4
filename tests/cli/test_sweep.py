"""A sweep started again: what is done is skipped, what failed is named, what was cut off goes on, to the byte of a fresh process."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sekft.cli import sweep
from sekft.cli.sweep import SweepPolicy
from sekft.config import Again, EvalCommandConfig
from sekft.config.job import Job
from sekft.errors import SekftError, SweepError, VerdictError
from sekft.tracking.ledger import last_entry
from tests import process
from tests.conftest import run_command
from tests.train.weights import digest

Command = Callable[[EvalCommandConfig, Job], object]


def start(folder: Path, command: Command, again: Again = Again.none, checkpoint: Path | None = None, seed: int = 0) -> list[str]:
    """Job 0 of a sweep; what is said about it. Its input is <folder>/data."""
    said: list[str] = []
    (folder / "0").mkdir(exist_ok=True)
    policy = SweepPolicy(lambda settings: [folder / "data"], lambda folder, report: checkpoint)
    job = Job(folder / "0", "s/0", "s", (), (), folder)
    sweep.run_once(command, EvalCommandConfig(seed=seed, again=again), job, folder, policy, said.append)
    return said


def never(settings: EvalCommandConfig, job: Job) -> None:
    raise AssertionError("it was run once more")


def fine(settings: EvalCommandConfig, job: Job) -> None:
    pass


def refuse(settings: EvalCommandConfig, job: Job) -> None:
    raise VerdictError("not as asked")


def test_a_job_that_is_done_is_skipped_unless_all_are_run_again(tmp_path: Path):
    assert start(tmp_path, fine) == []
    assert start(tmp_path, never) == [f"{tmp_path}/0: done before; skipped (again=all runs it again)"]
    assert start(tmp_path, never, Again.failed) != []
    with pytest.raises(AssertionError):
        start(tmp_path, never, Again.all)


def test_a_job_that_failed_is_named_with_its_status_and_run_only_if_asked_to(tmp_path: Path):
    with pytest.raises(VerdictError):
        start(tmp_path, refuse)
    with pytest.raises(SweepError, match="failed before: not as asked; again=failed runs it again") as named:
        start(tmp_path, never)
    assert named.value.exit_status == VerdictError.exit_status
    start(tmp_path, fine, Again.failed)
    assert start(tmp_path, never, Again.failed)[0].endswith("skipped (again=all runs it again)")


def test_a_job_that_was_cut_off_is_given_its_checkpoint_and_one_run_anew_finds_none(tmp_path: Path):
    def cut_off(settings: EvalCommandConfig, job: Job) -> None:
        (job.folder / "checkpoints").mkdir()
        raise KeyboardInterrupt

    given: list[Path | None] = []

    def keep(settings: EvalCommandConfig, job: Job) -> None:
        given.append(job.checkpoint)
        assert settings.again is Again.none  # the record of a job does not tell how often it was begun
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, cut_off)
    for again in (Again.none, Again.failed, Again.all):
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path, keep, again, tmp_path / "checkpoint-2")
    assert given == [tmp_path / "checkpoint-2", tmp_path / "checkpoint-2", None]
    assert (tmp_path / "0" / "checkpoints.1").exists() and not (tmp_path / "0" / "checkpoints").exists()


@pytest.mark.parametrize("status", ["done", "failed", "cut off"])
def test_a_job_is_run_anew_where_its_settings_or_its_data_changed_and_it_is_said_which(tmp_path: Path, status: str):
    ran: list[int] = []

    def first(settings: EvalCommandConfig, job: Job) -> None:
        if status != "done":
            raise SekftError("it broke") if status == "failed" else KeyboardInterrupt

    with contextlib.suppress(SekftError, KeyboardInterrupt):
        start(tmp_path, first)
    (tmp_path / "data").write_text("other episodes")
    said = start(tmp_path, lambda settings, job: ran.append(settings.seed))
    assert said == [f"{tmp_path}/0: ran with other inputs before; runs again, its old results are kept under a number"]
    assert "other settings before; runs again" in start(tmp_path, lambda settings, job: ran.append(settings.seed), seed=7)[0]
    assert ran == [0, 7]


def test_a_job_that_another_process_is_at_is_left_to_it(tmp_path: Path):
    def within(settings: EvalCommandConfig, job: Job) -> None:
        with pytest.raises(SweepError, match="another process is at work there"):
            start(tmp_path, never)

    start(tmp_path, within)
    told = last_entry(tmp_path, "0")
    assert told is not None and told.status == "done"


NOWHERE = ("train", "-m", "data.sources.shell.path=nowhere.jsonl", "lora=r4,r8")


def sweeps_of(cwd: Path) -> list[str]:
    return sorted(path.name for path in (cwd / "outputs" / "train").iterdir())


def test_the_same_line_finds_its_folder_and_failures_are_told_as_they_happen_and_at_the_end(tmp_path: Path):
    done = run_command(*NOWHERE, cwd=tmp_path)
    (folder,) = sweeps_of(tmp_path)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and len(lines) == 5 and lines[2] == "sekft.train: failed jobs of this sweep:", done.stderr
    for number in (0, 1):
        assert lines[number].startswith(f"sekft.train: job {folder}/{number} failed: nowhere.jsonl: no such file")
        assert lines[number].endswith(f"; log: outputs/train/{folder}/{number}/train.log")
        assert lines[3 + number] == "  " + lines[number].removeprefix("sekft.train: ")
        assert "no such file" in (tmp_path / "outputs" / "train" / folder / str(number) / "train.log").read_text()
    again = run_command(*NOWHERE, cwd=tmp_path)
    assert again.returncode == 1 and again.stderr.count("failed before: nowhere.jsonl") == 4 and sweeps_of(tmp_path) == [folder]
    retried = run_command(*NOWHERE, "again=failed", cwd=tmp_path)
    assert retried.returncode == 1 and "failed before" not in retried.stderr and sweeps_of(tmp_path) == [folder]
    run_command(*NOWHERE, "trainer.lr=1", cwd=tmp_path)
    assert len(sweeps_of(tmp_path)) == 2
    run_command(*NOWHERE, "again=all", cwd=tmp_path)
    assert len(sweeps_of(tmp_path)) == 3


def test_nothing_of_a_job_that_failed_is_held_on_to(tmp_path: Path):
    source = """
import weakref
from sekft.cli.launch import Work, launch
from sekft.cli.sweep import SweepPolicy
class Model: pass
held = []
def run(settings, job):
    assert [model for model in held if model() is not None] == [], "a failed job is still there"
    model = Model()
    held.append(weakref.ref(model))
    model.itself = model
    raise RuntimeError("CUDA out of memory")
launch("train", lambda: Work(run, SweepPolicy(lambda settings: [])))
"""
    (tmp_path / "jobs.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "jobs.py", "-m", "seed=0,1,2", "hydra.sweep.dir=s"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.count("failed: out of memory: CUDA out of memory; ") == 6, done.stderr
    assert "Traceback" not in done.stderr and "Traceback" in (tmp_path / "s" / "1" / "train.log").read_text()


SMALL = (
    "eval=none", "rehearsal=false", "tracker=none", "data.sources.shell.path=episodes/trajectories.jsonl", "trainer.max_steps=6",
    "trainer.batch=2", "trainer.checkpointing=true", "trainer.save_every_steps=1", "lora.dropout=0.1",
)  # fmt: skip
SWEEP = ("-m", *SMALL, "lora=r4,r8", "trainer.lr=1e-3,1e30")  # with the higher one the loss of the third step is no number


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    done = run_command("collect", "episodes=16", "sandbox=bwrap", "hydra.run.dir=episodes", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def swept(cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_command("train", *SWEEP, "hydra.sweep.dir=whole", cwd=cwd)


@pytest.fixture(scope="module")
def alone(cwd: Path) -> Path:
    """The third job in a process of its own."""
    done = run_command("train", *SMALL, "lora=r8", "trainer.lr=1e-3", "hydra.run.dir=alone", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "alone"


def losses(folder: Path) -> list[tuple[int, float]]:
    """Of every step, those of earlier starts included."""
    files = sorted(folder.glob("metrics*.jsonl"), key=lambda file: file.name != "metrics.1.jsonl")
    lines = [json.loads(line) for file in files for line in file.open()]
    return list({line["step"]: (line["step"], line["train/loss"]) for line in lines if "train/loss" in line}.values())


@pytest.mark.slow
@pytest.mark.xdist_group("sweep")
def test_a_job_after_one_that_failed_in_training_gives_the_losses_and_the_bytes_of_a_fresh_process(
    cwd: Path, swept: subprocess.CompletedProcess[str], alone: Path
):
    assert swept.returncode == 1 and swept.stderr.count("the loss is nan in row") == 4, swept.stderr
    after = cwd / "whole" / "2"
    assert len(losses(alone)) == 6 and losses(after) == losses(alone)
    assert digest(after / "adapter") == digest(alone / "adapter") != digest(cwd / "whole" / "0" / "adapter")
    loads = [json.loads((cwd / "whole" / job / "summary.json").read_text())["base_loads"] for job in ("0", "2")]
    assert loads == [1, 0]
    statuses = [json.loads((cwd / "whole" / str(job) / "run.json").read_text())["status"] for job in range(4)]
    assert statuses == ["done", "failed", "done", "failed"]


@pytest.mark.slow
@pytest.mark.xdist_group("sweep")
@pytest.mark.exhaustive
def test_a_sweep_killed_in_a_job_goes_on_from_its_checkpoint_to_the_same_bytes(cwd: Path, alone: Path):
    first = process.start("sekft.train", *SWEEP, "hydra.sweep.dir=killed", cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        while not (cwd / "killed" / "2" / "checkpoints" / "checkpoint-2" / "whole.json").exists():
            assert first.poll() is None, first.communicate()
            time.sleep(0.01)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    finished = (cwd / "killed" / "0" / "run.json").read_bytes()
    for half in ("checkpoint-5", "checkpoint-9"):  # without its seal, and with one that lies
        (cwd / "killed" / "2" / "checkpoints" / half).mkdir(exist_ok=True)
    (cwd / "killed" / "2" / "checkpoints" / "checkpoint-9" / "whole.json").write_text('{"optimizer.pt": 9}')
    second = run_command("train", *SWEEP, "hydra.sweep.dir=killed", cwd=cwd)
    assert "killed/0: done before; skipped" in second.stdout and "killed/2: interrupted; resumes from checkpoint-" in second.stdout
    assert "job killed/1 failed: failed before: step" in second.stderr and second.returncode == 1
    assert (cwd / "killed" / "0" / "run.json").read_bytes() == finished
    assert digest(cwd / "killed" / "2" / "adapter") == digest(alone / "adapter") and losses(cwd / "killed" / "2") == losses(alone)
    third = run_command("train", *SWEEP, "hydra.sweep.dir=killed", cwd=cwd)
    assert third.stdout.count("done before; skipped") == 2 and "failed before" in third.stderr and "train ━" not in third.stdout

"""Run a resident base: a prompt or a service that keeps the base in memory from one command to the next."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sekft.cli import prompt
from sekft.cli.console import echo
from sekft.cli.launch import listeners
from sekft.cli.recorded import recorded_run
from sekft.config import ResidentConfig
from sekft.config.job import Job
from sekft.errors import JobError
from sekft.resident import service
from sekft.resident.commands import BUILT_IN, INTERRUPTED, PROGRAMS, CommandSet, LocalCommands, describe_base, execute, print_error
from sekft.resident.queue import QueuedJob
from sekft.resident.worker import DescribeBase, RunJob


def run(settings: ResidentConfig, job: Job) -> int:
    """Serve on the socket, or read a prompt; returns the exit status. Raises JobError, ModelError."""
    base_words = [word for word in job.overrides if word.split("=")[0].split(".")[0] == "model"]
    if settings.socket:
        setup = partial(set_up_worker, settings, base_words)
        service.serve(Path(settings.socket), Path(settings.queue), setup, (*PROGRAMS, "drop"), echo)
        return 0
    command_set = load_base(settings, base_words)
    print(f"{describe_base()}\n`help` lists the commands.", flush=True)
    return read_prompt(command_set)


def read_prompt(command_set: CommandSet) -> int:
    """Run lines until `exit`. Returns 0 at a terminal; without one, the exit status of the first command that failed."""
    first_failure = 0
    for line in prompt.lines((*command_set.commands, *BUILT_IN), prompt.history_file("history")):
        if line.strip() == "exit":
            break
        try:
            status = execute(command_set, line)
        except JobError as error:
            status = print_error(str(error))
        except KeyboardInterrupt:
            status = INTERRUPTED
        first_failure = first_failure or status
        if status == INTERRUPTED and not sys.stdin.isatty():
            break
    return 0 if sys.stdin.isatty() else first_failure


def load_base(settings: ResidentConfig, base_words: Sequence[str]) -> LocalCommands:
    """Load the base into this process; returns its commands. base_words: the overrides that chose the base. Raises ModelError."""
    from sekft.model import base as bases

    bases.load(settings.model)
    command_set = LocalCommands(tuple(base_words))
    listeners.append(command_set.record_run)
    return command_set


def set_up_worker(settings: ResidentConfig, base_words: Sequence[str], run_started: Callable[[Path], None]) -> tuple[RunJob, DescribeBase]:
    """The setup of sekft.resident.worker: load the base and return the function that runs a job on it. Raises ModelError."""
    command_set = load_base(settings, base_words)

    def report_start(command: str, job: Job, summary: Any) -> None:
        if summary is None:  # the run starts
            run_started(job.folder.absolute())

    def run_job(job: QueuedJob) -> int:
        os.chdir(job.typed_in)
        return command_set.run(continued_words(job))

    listeners.append(report_start)
    return run_job, describe_base


def continued_words(job: QueuedJob) -> list[str]:
    """The words of a job; a training that was cut off continues from its newest checkpoint. A sweep resumes by itself."""
    from sekft.train import checkpoint

    words = list(job.words)
    if words[0] != "train" or not job.runs or {"-m", "--multirun"} & set(words) or recorded_run(words):
        return words
    newest = checkpoint.newest(job.runs[-1], print)
    return [*words, f"hydra.run.dir='{job.runs[-1]}'", *([f"trainer.resume_from='{newest}'"] if newest else [])]

"""Keep the base hot: train and evaluate adapters on it, one command after another, in the words of the commands."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sekft.cli import prompt
from sekft.cli.console import echo
from sekft.cli.launch import listeners
from sekft.cli.recorded import stands_for
from sekft.config.job import Job
from sekft.config.resident import ResidentConfig
from sekft.errors import JobError
from sekft.resident import queue, service
from sekft.resident.commands import ALWAYS, INTERRUPTED, WORK, Desk, Here, held, obey, refuse


def session(desk: Desk) -> int:
    """The status of the first command that failed, if nobody sat there; a person has seen it."""
    failed = 0
    for line in prompt.lines((*desk.commands, *ALWAYS), prompt.history_file("history")):
        if line.strip() == "exit":
            break
        try:
            status = obey(desk, line)
        except JobError as error:
            status = refuse(str(error))
        except KeyboardInterrupt:
            status = INTERRUPTED
        failed = failed or status
        if status == INTERRUPTED and not sys.stdin.isatty():
            break
    return 0 if sys.stdin.isatty() else failed


def here(settings: ResidentConfig, about: Sequence[str]) -> Here:
    """A desk in this process, its base loaded. about: the base, as it was typed."""
    from sekft.model import base as bases

    bases.load(settings.model)
    desk = Here(tuple(about))
    listeners.append(desk.hear)
    return desk


def begin(
    settings: ResidentConfig, about: Sequence[str], begun: Callable[[Path], None]
) -> tuple[Callable[[queue.Job], int], Callable[[], str]]:
    """What a worker does with the jobs of a queue, and what it holds; see sekft.resident.worker. Raises ModelError."""
    desk = here(settings, about)

    def hear(command: str, job: Job, summary: Any) -> None:
        if summary is None:
            begun(job.folder.absolute())

    def work(job: queue.Job) -> int:
        os.chdir(job.typed_in)
        return desk.do(gone_on(job))

    listeners.append(hear)
    return work, held


def gone_on(job: queue.Job) -> list[str]:
    """The command; of a training that was cut off, from its newest checkpoint. A sweep finds its own."""
    from sekft.train import checkpoint

    words = list(job.words)
    if words[0] != "train" or not job.runs or {"-m", "--multirun"} & set(words) or stands_for(words):
        return words
    there = checkpoint.newest(job.runs[-1], print)
    return [*words, f"hydra.run.dir='{job.runs[-1]}'", *([f"trainer.resume_from='{there}'"] if there else [])]


def run(settings: ResidentConfig, job: Job) -> int:
    """The exit status. Raises JobError, ModelError."""
    about = [word for word in job.overrides if word.split("=")[0].split(".")[0] == "model"]
    if settings.socket:
        work = partial(begin, settings, about)
        service.serve(Path(settings.socket), Path(settings.queue), work, (*WORK, "drop"), echo)
        return 0
    desk = here(settings, about)
    print(f"{held()}\n`help` lists the commands.", flush=True)
    return session(desk)

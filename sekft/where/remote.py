"""A whole command done elsewhere: submitted, followed to its end, and told as if it had ended here."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sekft.config.job import Job, RunFunction
from sekft.config.where import Where
from sekft.data import inputs
from sekft.episode.references import sources_without_path
from sekft.errors import WhereError
from sekft.tracking import records
from sekft.tracking.record import RUN, SUMMARY, open_run
from sekft.tracking.signals import terminating
from sekft.where import allowed, submission
from sekft.where.work import Work, cancelling, last_line, python

Say = Callable[[str], None]
POLL_S = 1.0
OURS = ("where", "live", "dry_run", "again", "resident")  # words that the command there does not get


def require(command: str, settings: Any, job_of_sweep: bool) -> None:
    """Raises SettingsError for what does not go together; nothing is started, read or asked."""
    reads = lambda: (inputs.training_inputs if command == "train" else inputs.eval_inputs)(settings)  # noqa: E731
    far = allowed.place(command, settings) is Where.hf_job and settings.where.options.get("image")
    plays = command == "train" and bool(sources_without_path(settings.data))
    allowed.require(command, settings, reads() if far else (), plays, job_of_sweep)


def placed(command: str, run: RunFunction, settings: Any, say: Say) -> RunFunction:
    """run itself, or what has it done where the settings say."""
    there = allowed.place(command, settings)
    if there not in submission.PLACES or (command == "train" and allowed.apart(settings)):
        return run
    return lambda settings, job: _submitted(command, there, settings, job, say)


def work(command: str, settings: Any, job: Job) -> Work:
    """The command line, as it is typed here but for where it runs."""
    far = settings.where.train is Where.hf_job if command == "train" else settings.where.eval is Where.hf_job
    words = [word for word in job.overrides if word.lstrip("+~").split("=")[0].split(".")[0] not in OURS]
    folder = settings.where.folder if far else str(job.folder.absolute())
    words += ["where.train=local", "where.eval=local", "live=false", "dry_run=false", "hydra.mode=RUN"]
    words += [f"hydra.run.dir='{folder}'"] if folder else []
    if command == "train" and job.checkpoint:
        words.append(f"trainer.resume_from='{job.checkpoint.absolute()}'")
    line = ("python" if far else python(), "-m", f"sekft.{command}", *words)
    return Work(f"sekft-{command}-{job.name.replace('/', '-')}", line, job.folder, settings.where.options, tuple(settings.where.secrets))


def _submitted(command: str, there: Where, settings: Any, job: Job, say: Say) -> Mapping[str, Any]:
    asked, before = work(command, settings, job), _status(job)
    try:
        with terminating():
            handle = submission.submit(there, asked, job.folder)
            say(f"{there}: {handle.id}; kept in {job.folder / submission.SUBMISSION}")
            if not settings.where.wait:
                return {}
            with cancelling(handle):
                while (status := handle.ended(POLL_S)) is None:
                    pass
        if status:
            raise _ended_with(status, _said(last_line(asked.output), command) or f"where={there}: ended with status {status}")
    except WhereError as error:
        submission.ended(job.folder, str(error))
        if _status(job) == before or _status(job)[1] == "running":  # nobody there has said so
            _record(command, settings, job, error)
        raise
    except BaseException:
        submission.ended(job.folder, "interrupted", "cancelled")
        raise
    submission.ended(job.folder)
    say(f"{there}: done; {job.folder if there is not Where.hf_job else handle.about['url']}")
    return records.summary(job.folder) if (job.folder / SUMMARY).exists() else {}


def _ended_with(status: int, line: str) -> WhereError:
    error = WhereError(line)
    error.exit_status = status if status > 0 else 1
    return error


def _said(line: str, command: str) -> str:
    """A refusal from there, without the name that is said again here."""
    return line.removeprefix(f"sekft.{command}: ")


def _status(job: Job) -> tuple[str, str]:
    """When the run in the folder began, and what became of it; empty without one."""
    run = job.folder / RUN
    told = json.loads(run.read_text(encoding="utf-8")) if run.exists() else {}
    return str(told.get("started", "")), str(told.get("status", ""))


def _record(command: str, settings: Any, job: Job, error: WhereError) -> None:
    """The run has failed, also where nobody could say so there."""
    with suppress(WhereError), open_run(Path(job.folder), command, asdict(settings), job.overrides, settings.seed):
        raise error

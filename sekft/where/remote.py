"""A whole command run by Ray, Slurm or Hugging Face: submitted, followed to its end, and reported as if it had run here."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sekft.config.job import CONFIG_DIR, Job, Report, RunFunction
from sekft.config.where import Where
from sekft.data import inputs
from sekft.data.sources import sources_without_path
from sekft.errors import WhereError
from sekft.tracking import records
from sekft.tracking.record import RUN, SUMMARY, open_run
from sekft.tracking.signals import terminating
from sekft.where import allowed, submission
from sekft.where.job_spec import JobSpec, cancel_on_error, last_line, python

POLL_S = 1.0
LOCAL_SETTINGS = ("where", "live", "dry_run", "again", "resident")  # overrides that the remote command does not get


def require(command: str, settings: Any, job_of_sweep: bool) -> None:
    """Raises SettingsError for a combination of settings that is not allowed; see allowed.require."""
    leaves_machine = allowed.location(command, settings) is Where.hf_job and settings.where.options.get("image")
    inputs_of = inputs.training_inputs if command == "train" else inputs.eval_inputs
    plays = command == "train" and bool(sources_without_path(settings.data))
    allowed.require(command, settings, inputs_of(settings) if leaves_machine else (), plays, job_of_sweep)


def at_location(command: str, run: RunFunction, settings: Any, report: Report) -> RunFunction:
    """run itself, or a function that submits the command to the location in the settings."""
    where = allowed.location(command, settings)
    if where not in submission.BACKENDS or (command == "train" and allowed.trains_separately(settings)):
        return run
    return lambda settings, job: _submit(command, where, settings, job, report)


def job_spec(command: str, settings: Any, job: Job) -> JobSpec:
    """The command with this job's overrides, except that it runs locally where it is submitted to."""
    hf_job = allowed.location(command, settings) is Where.hf_job
    overrides = [word for word in job.overrides if word.lstrip("+~").split("=")[0].split(".")[0] not in LOCAL_SETTINGS]
    folder = settings.where.folder if hf_job else str(job.folder.absolute())
    overrides += ["where.train=local", "where.eval=local", "live=false", "dry_run=false", "hydra.mode=RUN"]
    overrides += [f"hydra.run.dir='{folder}'"] if folder else []
    if command == "train" and job.checkpoint:
        overrides.append(f"trainer.resume_from='{job.checkpoint.absolute()}'")
    config_dir = ("--config-dir", job.facts[CONFIG_DIR]) if CONFIG_DIR in job.facts and not hf_job else ()
    line = ("python" if hf_job else python(), "-m", f"sekft.{command}", *config_dir, *overrides)
    return JobSpec(f"sekft-{command}-{job.name.replace('/', '-')}", line, job.folder, settings.where.options, tuple(settings.where.secrets))


def _submit(command: str, where: Where, settings: Any, job: Job, report: Report) -> Mapping[str, Any]:
    """Submit the command and wait for its end; its summary, empty without one. Raises WhereError."""
    spec, before = job_spec(command, settings, job), _run_status(job)
    try:
        with terminating():
            handle = submission.submit(where, spec, job.folder)
            report(f"{where}: {handle.id}; kept in {job.folder / submission.SUBMISSION}")
            if not settings.where.wait:
                return {}
            with cancel_on_error(handle):
                while (status := handle.wait(POLL_S)) is None:
                    pass
        if status:
            message = last_line(spec.output).removeprefix(f"sekft.{command}: ")  # the prefix is printed again here
            raise _error(status, message or f"where={where}: ended with status {status}")
    except WhereError as error:
        submission.record_end(job.folder, str(error))
        if _run_status(job) == before or _run_status(job)[1] == "running":  # the remote process did not record the failure
            _record_failure(command, settings, job, error)
        raise
    except BaseException:
        submission.record_end(job.folder, "interrupted", "cancelled")
        raise
    submission.record_end(job.folder)
    report(f"{where}: done; {job.folder if where is not Where.hf_job else handle.details['url']}")
    return records.summary(job.folder) if (job.folder / SUMMARY).exists() else {}


def _error(status: int, line: str) -> WhereError:
    error = WhereError(line)
    error.exit_status = status if status > 0 else 1
    return error


def _run_status(job: Job) -> tuple[str, str]:
    """Start time and status in run.json; empty strings without one."""
    if not (job.folder / RUN).exists():
        return "", ""
    record = records.run(job.folder)
    return record.started, record.status


def _record_failure(command: str, settings: Any, job: Job, error: WhereError) -> None:
    """Write a run record with status failed."""
    with suppress(WhereError), open_run(Path(job.folder), command, asdict(settings), job.overrides, settings.seed):
        raise error

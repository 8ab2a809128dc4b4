"""Submitting a job to Ray, Slurm or Hugging Face; submission.json in the run's folder keeps the handle and the job's end."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekft.config.where import Where
from sekft.errors import WhereError
from sekft.tracking.condition import Condition
from sekft.tracking.events import add_event
from sekft.tracking.files import write_json
from sekft.tracking.record import RUN, one_line
from sekft.where import hf_job, ray, slurm
from sekft.where.job_spec import JobHandle, JobSpec

SUBMISSION = "submission.json"
BACKENDS = {Where.ray: ray, Where.slurm: slurm, Where.hf_job: hf_job}


def describe(where: Where, job: JobSpec) -> dict[str, Any]:
    return BACKENDS[where].describe(job)


def submit(where: Where, job: JobSpec, folder: Path) -> JobHandle:
    """Submit the job and write submission.json into the run's folder: submitted with the id, or failed with the error.

    Raises WhereError.
    """
    record = {"schema_version": 1, "where": where.value, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
    record |= {"name": job.name, "submitted": describe(where, job)}
    add_event(folder, "submitting", where=where.value)  # before the job itself can write to the log
    try:
        handle = BACKENDS[where].submit(job)
    except WhereError as error:
        write_json(folder / SUBMISSION, record | {"status": "failed", "id": None, "error": one_line(error)})
        raise WhereError(f"where={where}: not submitted: {error}") from None
    write_json(folder / SUBMISSION, record | {"status": "submitted", "id": handle.id, "error": None, **handle.details})
    return handle


def not_started(home: Path) -> list[Condition]:
    """Every submission in the folders below that has no run yet: it is queued, or was not accepted."""
    files = [file for file in sorted(home.rglob(SUBMISSION)) if not (file.parent / RUN).exists()]
    return [_condition(file.parent) for file in files]


def _condition(folder: Path) -> Condition:
    try:
        record = json.loads((folder / SUBMISSION).read_text(encoding="utf-8"))
        command = str(record.get("name", "")).removeprefix("sekft-").partition("-")[0] or "?"
        return Condition(folder, command, record["status"], record["error"] or f"{record['where']}: {record['id']}, not started yet")
    except (ValueError, KeyError, TypeError, AttributeError):
        return Condition(folder, "?", "failed", f"{folder / SUBMISSION}: damaged")


def record_end(folder: Path, error: str | None = None, status: str = "") -> None:
    """Write into submission.json how the job ended. status: by default done, or failed with an error."""
    if (folder / SUBMISSION).exists():
        record = json.loads((folder / SUBMISSION).read_text(encoding="utf-8"))
        write_json(folder / SUBMISSION, record | {"status": status or ("failed" if error else "done"), "error": error})

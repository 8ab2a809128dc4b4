"""What was submitted somewhere: the handle on it is kept in the folder of the run, and one that was not taken has failed."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekft.config.where import Where
from sekft.errors import WhereError
from sekft.tracking.audit import Audit
from sekft.tracking.condition import Condition
from sekft.tracking.files import write_json
from sekft.tracking.record import RUN, one_line
from sekft.where import hf_job, ray, slurm
from sekft.where.work import Handle, Work

SUBMISSION = "submission.json"
PLACES = {Where.ray: ray, Where.slurm: slurm, Where.hf_job: hf_job}


def described(where: Where, work: Work) -> dict[str, Any]:
    return PLACES[where].described(work)


def submit(where: Where, work: Work, folder: Path) -> Handle:
    """folder: of the run. Its submission.json says submitted, with the handle, or failed, with the reason. Raises WhereError."""
    told = {"schema_version": 1, "where": where.value, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
    told |= {"name": work.name, "submitted": described(where, work)}
    Audit(folder).tell("submitting", where=where.value)  # before anybody there writes to it
    try:
        handle = PLACES[where].submit(work)
    except WhereError as error:
        write_json(folder / SUBMISSION, told | {"status": "failed", "id": None, "error": one_line(error)})
        raise WhereError(f"where={where}: not submitted: {error}") from None
    write_json(folder / SUBMISSION, told | {"status": "submitted", "id": handle.id, "error": None, **handle.about})
    return handle


def unbegun(home: Path) -> list[Condition]:
    """What was submitted from the folders below and left no run yet: it waits there, or it was never taken."""
    files = [file for file in sorted(home.rglob(SUBMISSION)) if not (file.parent / RUN).exists()]
    return [_condition(file.parent, json.loads(file.read_text(encoding="utf-8"))) for file in files]


def _condition(folder: Path, told: dict[str, Any]) -> Condition:
    command = str(told.get("name", "")).removeprefix("sekft-").partition("-")[0] or "?"
    return Condition(folder, command, told["status"], told["error"] or f"{told['where']}: {told['id']}, no sign of it yet")


def ended(folder: Path, error: str | None = None, status: str = "") -> None:
    """What was submitted has come to its end."""
    if (folder / SUBMISSION).exists():
        told = json.loads((folder / SUBMISSION).read_text(encoding="utf-8"))
        write_json(folder / SUBMISSION, told | {"status": status or ("failed" if error else "done"), "error": error})

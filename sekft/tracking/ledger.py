"""The ledger of a sweep or a queue: one line when a job begins, one when it ends. A job without the second line was interrupted."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sekft.tracking.files import append_json, now, read_lines

LEDGER = "ledger.jsonl"
Status = StrEnum("Status", "queued started done failed cancelled")


@dataclass(frozen=True)
class Entry:
    """The state of a job. decided_by: hashes from sekft.tracking.digest, which together identify a job of a sweep."""

    job: str  # sweep: the name of the job's folder; queue: its number
    decided_by: Mapping[str, str]
    status: Status
    error: str | None = None
    exit_status: int = 0
    asked: Mapping[str, Any] = field(default_factory=dict)  # queue: the request, as overrides and folder
    runs: tuple[str, ...] = ()  # queue: folders of the runs that the job began


def last_entry(folder: Path, job: str) -> Entry | None:
    """The newest entry of a job."""
    return entries(folder).get(job)


def entries(folder: Path) -> dict[str, Entry]:
    """The newest entry of every job, in the order of their first lines; incomplete and damaged lines are left out."""
    found: dict[str, Entry] = {}
    for line in read_lines(folder / LEDGER):
        with suppress(ValueError, TypeError, KeyError, AttributeError):  # of a job whose line is lost nothing is known: it runs again
            value = json.loads(line)
            value.pop("time")
            found[value["job"]] = Entry(**value | {"status": Status(value["status"]), "runs": tuple(value.get("runs", ()))})
    return found


def append(folder: Path, entry: Entry) -> None:
    """Append the entry, flushed to disk."""
    fields = {key: value for key, value in asdict(entry).items() if value or key not in ("asked", "runs")}
    append_json(folder / LEDGER, {"time": now(), **fields})

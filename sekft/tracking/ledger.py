"""The ledger of a sweep or a queue: a line as a job begins and one as it ends. Where the second is missing, the job was cut off."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

LEDGER = "ledger.jsonl"
Status = StrEnum("Status", "queued started done failed cancelled")


@dataclass(frozen=True)
class Entry:
    """decided_by: hashes, see sekft.tracking.digest; together they are the key of a sweep's job."""

    job: str  # of a sweep: its folder's name; of a queue: its number
    decided_by: Mapping[str, str]
    status: Status
    error: str | None = None
    exit_status: int = 0
    asked: Mapping[str, Any] = field(default_factory=dict)  # of a queue: what was typed, and where
    runs: tuple[str, ...] = ()  # of a queue: the folders of the runs it has begun


def last(folder: Path, job: str) -> Entry | None:
    """What was told of the job last."""
    return entries(folder).get(job)


def entries(folder: Path) -> dict[str, Entry]:
    """What was told last, by job, in the order of their first lines. A line that was not finished is none."""
    found: dict[str, Entry] = {}
    path = folder / LEDGER
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else ():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        told.pop("time")
        found[told["job"]] = Entry(**told | {"status": Status(told["status"]), "runs": tuple(told.get("runs", ()))})
    return found


def tell(folder: Path, entry: Entry) -> None:
    """Append a line that survives what happens to the machine next; after half a line it begins a new one."""
    told = {key: value for key, value in asdict(entry).items() if value or key not in ("asked", "runs")}
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **told}, ensure_ascii=False) + "\n"
    with (folder / LEDGER).open("a+b") as file:
        torn = file.tell() > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
        file.write((b"\n" if torn else b"") + line.encode())
        file.flush()
        os.fsync(file.fileno())

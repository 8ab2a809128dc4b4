"""The ledger of a sweep: a line as a job begins and one as it ends. Where the second is missing, the job was cut off."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

LEDGER = "ledger.jsonl"
Status = StrEnum("Status", "started done failed")


@dataclass(frozen=True)
class Entry:
    """job: its folder's name. decided_by: hashes, see sekft.tracking.digest; together they are the key."""

    job: str
    decided_by: Mapping[str, str]
    status: Status
    error: str | None = None
    exit_status: int = 0


def last(sweep: Path, job: str) -> Entry | None:
    """What was told of the job last. A line that was not finished is none."""
    found = None
    path = sweep / LEDGER
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if told["job"] == job:
            about = {key: told[key] for key in ("job", "decided_by", "error", "exit_status")}
            found = Entry(status=Status(told["status"]), **about)
    return found


def tell(sweep: Path, entry: Entry) -> None:
    """Append a line that survives what happens to the machine next; after half a line it begins a new one."""
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **asdict(entry)}, ensure_ascii=False) + "\n"
    with (sweep / LEDGER).open("a+b") as file:
        torn = file.tell() > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
        file.write((b"\n" if torn else b"") + line.encode())
        file.flush()
        os.fsync(file.fileno())

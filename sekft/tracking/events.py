"""The event log of a run, audit.jsonl; the event that closes the run holds the SHA-256 of every file, and verification compares them.

Covers: a file of the run that was changed, is missing, or was added. Does not cover: somebody who also edits the closing event.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.tracking.files import append_json, now, read_lines, sha256

EVENTS = "audit.jsonl"
OPENED, CLOSED = "opened", "closed"
UNCHECKED = (EVENTS, "heartbeat.json", "submission.json")  # files that may change after the run is closed
TEMPORARY = (".tmp", ".lock", ".log", ".pyc")
RESULT_FOLDERS = ("adapter", "best", "scenarios", "episodes", "harbor", "bundles", "lives")  # the last two: of the first edition


@dataclass(frozen=True)
class Event:
    """One line of the log. about: what the event is about, as JSON. text: the line."""

    name: str
    about: Mapping[str, Any]
    text: str


def add_event(folder: Path, name: str, **about: Any) -> None:
    """Append an event to the log in the folder."""
    append_json(folder / EVENTS, {"time": now(), "event": name, "about": about})


def close(folder: Path, status: str) -> None:
    """Append the closing event with the SHA-256 of every file of the run."""
    add_event(folder, CLOSED, status=status, files=checksums(folder))


def events(folder: Path) -> list[Event]:
    """The events in order, also of the first edition, whose lines are chained by hashes. Lines that cannot be read are left out."""
    return [event for line in read_lines(folder / EVENTS) if (event := _event(line)) is not None]


def closing_digest(folder: Path) -> str | None:
    """A digest that stands for every file of the run as it was closed last; None if it was never closed."""
    closed = [event for event in events(folder) if event.name == CLOSED]
    if not closed:
        return None
    return json.loads(closed[-1].text).get("hash") or hashlib.sha256(closed[-1].text.encode()).hexdigest()  # the first edition has a hash


def faults(folder: Path) -> Iterator[str]:
    """One line for each file that differs from the closing event, or for the log if it cannot be read or does not end with one."""
    file = folder / EVENTS
    if not file.exists():
        yield f"{file}: missing"
        return
    for number, line in enumerate(read_lines(file), 1):
        if _event(line) is None:
            yield f"{file}:{number}: not an event"
            return
    last = next((event for event in reversed(events(folder)) if event.name in (OPENED, CLOSED)), None)
    if last is None or last.name == OPENED or "files" not in last.about:
        yield f"{file}: the run was never closed: it is running, was killed, or the last line is missing"
    else:
        yield from _differences(folder, last.about["files"])


def checksums(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of every file in the run's folder and in the folders of its results, hidden and temporary files left out."""
    found = [file for file in folder.iterdir() if file.is_file()]
    found += [file for name in RESULT_FOLDERS for file in (folder / name).rglob("*") if file.is_file()]
    names = {str(file.relative_to(folder)): file for file in found}
    return {name: sha256(file) for name, file in sorted(names.items()) if _is_checked(name)}


def _differences(folder: Path, recorded: Mapping[str, str]) -> Iterator[str]:
    current = checksums(folder)
    for name in sorted({*recorded, *current}):
        if name not in current:
            yield f"{folder / name}: missing"
        elif name not in recorded:
            yield f"{folder / name}: was not there when the run was closed"
        elif current[name] != recorded[name]:
            yield f"{folder / name}: changed since the run was closed"


def _is_checked(name: str) -> bool:
    hidden = any(part.startswith(".") for part in Path(name).parts)
    return name not in UNCHECKED and not hidden and not name.endswith(TEMPORARY)


def _event(line: str) -> Event | None:
    try:
        value = json.loads(line)
        return Event(value["event"], value["about"], line)
    except (ValueError, KeyError, TypeError):
        return None

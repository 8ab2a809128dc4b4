"""What happened to a run, in order: audit.jsonl, each line with the hash of the one before; the last names every file by its digest.

Covers: a line or a file changed, missing, added or out of order. Does not cover: somebody who writes the whole chain anew.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekft.tracking.files import append_line, plain

AUDIT = "audit.jsonl"
OPENED, CLOSED = "opened", "closed"
START = "0" * 64
ASIDE = (AUDIT, "heartbeat.json", "submission.json")  # files that change when all is over, or say nothing that must hold
TEMPORARY = (".tmp", ".lock", ".log", ".pyc")
FOLDERS = ("adapter", "best", "scenarios", "episodes", "harbor")


@dataclass
class Audit:
    """folder: of the run; the chain goes on where it was left."""

    folder: Path

    def tell(self, event: str, **about: Any) -> None:
        """Append one line; a chain that is broken already is not mended."""
        last = _last(self.folder / AUDIT)
        told = {"number": last[0] + 1, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
        line = told | {"about": plain(about), "before": last[1]}
        with (self.folder / AUDIT).open("a", encoding="utf-8") as file:
            append_line(file, line | {"hash": _hash(line)})

    def close(self, status: str) -> None:
        self.tell(CLOSED, status=status, files=digests(self.folder))


def digests(folder: Path) -> dict[str, str]:
    """sha256 of everything a run shows for itself: the files right in its folder, and of its results' folders all."""
    found = [file for file in folder.iterdir() if file.is_file()]
    found += [file for name in FOLDERS for file in (folder / name).rglob("*") if file.is_file()]
    names = {str(file.relative_to(folder)): file for file in found}
    return {name: _sha256(file) for name, file in sorted(names.items()) if _counts(name)}


def faults(folder: Path) -> Iterator[str]:
    """What does not hold, one line each, the file or the line named; nothing where all is as it was."""
    if not (folder / AUDIT).exists():
        yield f"{folder / AUDIT}: missing"
        return
    closed, broken = _walked(folder / AUDIT)
    if broken:
        yield broken
    elif closed is None:
        yield f"{folder / AUDIT}: the run was never closed: it is under way, was killed, or its last line is missing"
    else:
        yield from _changed(folder, closed["files"])


def seal(folder: Path) -> str | None:
    """The hash of the line that closed the run, which stands for every file of it; None where it was not closed."""
    lines = _lines(folder / AUDIT) if (folder / AUDIT).exists() else []
    with contextlib.suppress(ValueError, KeyError, TypeError):  # a torn line closes nothing
        return next((line["hash"] for line in map(json.loads, filter(None, reversed(lines))) if line["event"] == CLOSED), None)
    return None


def events(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(event, about), in order; nothing of a line that cannot be read."""
    for text in _lines(folder / AUDIT) if (folder / AUDIT).exists() else []:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            line = json.loads(text)
            yield line["event"], line["about"]


def chain_fault(file: Path) -> str | None:
    """The first line of an audit that does not follow the one before it, or was changed."""
    return _walked(file)[1]


def _walked(file: Path) -> tuple[Mapping[str, Any] | None, str | None]:
    """What was said when the run was closed, and the first line that does not hold."""
    closed: Mapping[str, Any] | None = None
    before, number = START, 0
    for at, text in enumerate(_lines(file), 1):
        try:
            line = json.loads(text)
            own = line.pop("hash")
            event, about, said = line["event"], line["about"], (line["number"], line["before"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return None, f"{file}:{at}: not a line of an audit"
        if own != _hash(line) or text != _dumped(line | {"hash": own}):
            return None, f"{file}:{at}: changed"
        if said != (number + 1, before):
            return None, f"{file}:{at}: does not follow the line before it: a line was removed, added or moved"
        before, number = own, number + 1
        closed = about if event == CLOSED else None if event == OPENED else closed
    return closed, None


def _changed(folder: Path, told: Mapping[str, str]) -> Iterator[str]:
    now = digests(folder)
    for name in sorted({*told, *now}):
        if name not in now:
            yield f"{folder / name}: missing"
        elif name not in told:
            yield f"{folder / name}: was not there when the run was closed"
        elif now[name] != told[name]:
            yield f"{folder / name}: changed since the run was closed"


def _counts(name: str) -> bool:
    hidden = any(part.startswith(".") for part in Path(name).parts)
    return name not in ASIDE and not hidden and not name.endswith(TEMPORARY)


def _last(file: Path) -> tuple[int, str]:
    lines = _lines(file) if file.exists() else []
    try:
        return len(lines), json.loads(lines[-1])["hash"] if lines else START
    except (ValueError, KeyError, TypeError):
        return len(lines), START  # which its verification will say


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")


def _hash(line: Mapping[str, Any]) -> str:
    return hashlib.sha256(_dumped(line).encode()).hexdigest()


def _dumped(line: Mapping[str, Any]) -> str:
    """As append_line writes it."""
    return json.dumps(line, ensure_ascii=False)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()

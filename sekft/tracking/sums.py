"""SHA256SUMS of a folder's data, in the format of `sha256sum -c`."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

NAME = "SHA256SUMS"
CURRENT = "current"  # the link in a stage to the release that is served now


def write(folder: Path, parts: Iterable[Path]) -> Path:
    """parts: files and folders below folder; those that are not there are left out. Lines in path order."""
    files = sorted(file for part in parts for file in (part.rglob("*") if part.is_dir() else [part]) if file.is_file())
    path = folder / NAME
    path.write_text("".join(f"{_digest(file)}  {file.relative_to(folder).as_posix()}\n" for file in files), encoding="utf-8")
    return path


def faults(folder: Path) -> Iterator[str]:
    """What is not as SHA256SUMS says, and what it does not speak of: one line each."""
    path = folder / NAME
    if not path.is_file():
        yield f"{path}: missing"
        return
    lines = [line.partition("  ") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    told = {name: digest for digest, _, name in lines}
    there = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file() and file != path}
    for name in sorted({*told, *there}):
        if name not in there:
            yield f"{folder / name}: missing"
        elif name not in told:
            yield f"{folder / name}: not one of {NAME}"
        elif _digest(there[name]) != told[name]:
            yield f"{folder / name}: changed"


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def current(stage: Path) -> Path | None:
    """The release of a stage that is served now; stage: a folder of releases."""
    link = stage / CURRENT
    return stage / link.readlink() if link.is_symlink() else None

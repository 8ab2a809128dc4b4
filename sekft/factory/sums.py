"""SHA256SUMS of a folder's data, in the format of `sha256sum -c`."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

NAME = "SHA256SUMS"


def write(folder: Path, parts: Iterable[Path]) -> Path:
    """parts: files and folders below folder; those that are not there are left out. Lines in path order."""
    files = sorted(file for part in parts for file in (part.rglob("*") if part.is_dir() else [part]) if file.is_file())
    path = folder / NAME
    path.write_text("".join(f"{_digest(file)}  {file.relative_to(folder).as_posix()}\n" for file in files), encoding="utf-8")
    return path


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()

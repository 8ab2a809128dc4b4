"""SHA256SUMS of a folder's data, in the format of `sha256sum -c`, and the link to the current release of a stage."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from sekft.tracking.files import read_lines, sha256, write_text

NAME = "SHA256SUMS"
CURRENT = "current"  # the link in a stage to the release in use


def write(folder: Path, parts: Iterable[Path]) -> Path:
    """Write the checksums of parts, files and folders below folder, in path order; missing parts are left out."""
    files = sorted(file for part in parts for file in (part.rglob("*") if part.is_dir() else [part]) if file.is_file())
    path = folder / NAME
    write_text(path, "".join(f"{sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files))
    return path


def faults(folder: Path) -> Iterator[str]:
    """One line for each file that is missing, was changed, or is not listed."""
    path = folder / NAME
    if not path.is_file():
        yield f"{path}: missing"
        return
    recorded = {name: digest for digest, _, name in (line.partition("  ") for line in read_lines(path))}
    current_files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file() and file != path}
    for name in sorted({*recorded, *current_files}):
        if name not in current_files:
            yield f"{folder / name}: missing"
        elif name not in recorded:
            yield f"{folder / name}: not one of {NAME}"
        elif sha256(current_files[name]) != recorded[name]:
            yield f"{folder / name}: changed"


def current(stage: Path) -> Path | None:
    """The release of a stage that is in use; stage: a folder of releases."""
    link = stage / CURRENT
    return stage / link.readlink() if link.is_symlink() else None

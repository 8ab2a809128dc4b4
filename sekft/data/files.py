"""Where the files of a source lie: shipped with sekft, on the disk, or on the Hub."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sekft.errors import DataError

SHIPPED = "sekft:"
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def find_files(path: str, suffixes: Sequence[str]) -> list[Path]:
    """The file itself, or those of a folder whose names end in one of the suffixes, by name; if it has none, those below it.

    Raises DataError if there is none at all.
    """
    place = located(path, suffixes)
    if place.is_file():
        return [place]
    found = _in(place.iterdir(), suffixes) or _in(place.rglob("*"), suffixes)
    if not found:
        raise DataError(f"{path}: no {' or '.join(f'*{suffix}' for suffix in suffixes)} in this folder")
    return found


def _in(paths: Iterable[Path], suffixes: Sequence[str]) -> list[Path]:
    return sorted(file for file in paths if file.is_file() and file.name.endswith(tuple(suffixes)))


def located(path: str, suffixes: Sequence[str]) -> Path:
    """The file or folder on this machine. A Hub dataset id is looked up in the local cache, then fetched. Raises DataError."""
    if path.startswith(SHIPPED):
        return Path(__file__).parent / "shipped" / path.removeprefix(SHIPPED)
    place = Path(path).expanduser()
    if place.exists():
        return place
    if not HUB_ID.fullmatch(path) or path.endswith(tuple(suffixes)):
        raise DataError(f"{path}: no such file or folder")
    return _from_hub(path, suffixes)


def _from_hub(name: str, suffixes: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    from sekft.model.locate import reachable

    patterns = [f"*{suffix}" for suffix in suffixes]
    try:
        return Path(snapshot_download(name, repo_type="dataset", allow_patterns=patterns, local_files_only=not reachable()))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        fetch = f"`hf download --repo-type dataset {name}`"
        raise DataError(f"{name}: no such file or folder, nor a dataset in the local hub cache; fetch it with {fetch}") from None

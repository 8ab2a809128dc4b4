"""Finding the files of a source: shipped with sekft, on the disk, or on the Hub."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sekft.errors import DataError
from sekft.tracking.files import expanded

SHIPPED = "sekft:"  # prefix of a path into data/shipped/
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def find_files(path: str, suffixes: Sequence[str]) -> list[Path]:
    """The file itself, or the files of a folder with one of the suffixes, sorted by name; if there is none, those of its subfolders.

    path: a file, a folder, a Hub dataset id, or sekft:NAME for a file that ships. Raises DataError if no file is found.
    """
    location = locate(path, suffixes)
    if location.is_file():
        return [location]
    found = _with_suffix(location.iterdir(), suffixes) or _with_suffix(location.rglob("*"), suffixes)
    if not found:
        raise DataError(f"{path}: no {' or '.join(f'*{suffix}' for suffix in suffixes)} in this folder")
    return found


def _with_suffix(paths: Iterable[Path], suffixes: Sequence[str]) -> list[Path]:
    return sorted(file for file in paths if file.is_file() and file.name.endswith(tuple(suffixes)))


def locate(path: str, suffixes: Sequence[str]) -> Path:
    """The file or folder on this machine; a Hub dataset is taken from the local cache or downloaded. Raises DataError."""
    if path.startswith(SHIPPED):
        return Path(__file__).parent / "shipped" / path.removeprefix(SHIPPED)
    location = expanded(path)
    if location.exists():
        return location
    if not HUB_ID.fullmatch(path) or path.endswith(tuple(suffixes)):
        several = "; for several files give their folder" if set("*?,") & set(path) else ""
        raise DataError(f"{path}: no such file or folder{several}")
    return _from_hub(path, suffixes)


def _from_hub(name: str, suffixes: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    from sekft.model.locate import hub_is_reachable

    patterns = [f"*{suffix}" for suffix in suffixes]
    try:
        return Path(snapshot_download(name, repo_type="dataset", allow_patterns=patterns, local_files_only=not hub_is_reachable()))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        fetch = f"`hf download --repo-type dataset {name}`"
        raise DataError(f"{name}: no such file or folder, nor a dataset in the local hub cache; fetch it with {fetch}") from None

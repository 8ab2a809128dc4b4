"""Runs found on disk: which there are, which ended well, and why the others cannot be used."""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from sekft.errors import DataError
from sekft.tracking import first_edition
from sekft.tracking.files import json_lines
from sekft.tracking.record import METRICS, RUN, SUMMARY, RunRecord

Curve = tuple[tuple[int, float], ...]  # (step, value), as logged; the last value of each step


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended well. summary: summary.json; curves: every logged metric whose name ends in /loss or begins with eval/."""

    folder: Path
    record: RunRecord
    summary: Mapping[str, Any]
    curves: Mapping[str, Curve]


@dataclass(frozen=True)
class UnusableRun:
    """A run that did not end well, and why."""

    folder: Path
    reason: str


def find(places: Iterable[str]) -> list[Path]:
    """The run folders of sweeps, runs and globs, each once, jobs in numeric order. Raises DataError for a place without any."""
    found: dict[Path, None] = {}
    for place in places:
        folders = [Path(place)] if Path(place).is_dir() else [Path(path) for path in sorted(glob(place))]  # noqa: PTH207, Path.glob takes no absolute one
        inside = [run for folder in folders if folder.is_dir() for run in _runs(folder)] or named(place)
        if not inside:
            raise DataError(f"runs: {place or '(empty)'}: no run there; allowed: a run folder, a sweep, a glob, the name of a run")
        found |= dict.fromkeys(inside)
    return list(found)


def below(folder: Path) -> list[Path]:
    """Every run folder at or below a folder, sorted by name; hidden folders are left out."""
    found = [file.parent for file in folder.rglob(RUN)]
    return sorted(run for run in found if not any(part.startswith(".") for part in run.relative_to(folder).parts))


def named(name: str, root: Path = Path("outputs")) -> list[Path]:
    """The runs below root with this name, oldest first."""
    if not name or not root.is_dir():
        return []
    found = []
    for folder in below(root):
        with suppress(DataError):
            record = run(folder)
            found += [(record.started, folder)] * (record.given_name() == name)
    return [folder for _, folder in sorted(found)]


def newest(folder: Path) -> Path:
    """The run or sweep in the folder that was started last. Raises DataError if there is none."""
    folders = sorted((path for path in folder.glob("*") if path.is_dir() and _runs(path)), key=lambda path: (_started(path), path.name))
    if not folders:
        raise DataError(f"runs: {folder} has none; allowed: runs=FOLDER, or first python -m sekft.train")
    return folders[-1]


def read(folder: Path) -> FinishedRun | UnusableRun:
    """The run in a folder; one with a damaged file is unusable, the others beside it are not."""
    if not (folder / RUN).exists():
        return UnusableRun(folder, "refused before it began, see its log")
    try:
        return _read(folder, run(folder))
    except DataError as error:
        return UnusableRun(folder, str(error))


def _read(folder: Path, record: RunRecord) -> FinishedRun | UnusableRun:
    match record.status:
        case "done" if (folder / SUMMARY).exists():
            return FinishedRun(folder, record, summary(folder), curves(folder / METRICS))
        case "running":
            return UnusableRun(folder, "not finished: still running, or killed")
        case status:
            return UnusableRun(folder, f"{status}: {record.error or 'no summary'}")


def run(folder: Path) -> RunRecord:
    """run.json of a run of either edition. Raises DataError."""
    return RunRecord.from_json(document(folder / RUN))


def summary(folder: Path) -> dict[str, Any]:
    """summary.json of a run of either edition. Raises DataError."""
    return document(folder / SUMMARY)


def settings(folder: Path) -> dict[str, Any]:
    """The settings in run.json. Raises DataError."""
    return dict(run(folder).settings)


def curves(file: Path) -> dict[str, Curve]:
    """The curves in metrics.jsonl, by metric; none if there is no file. Raises DataError for a damaged one."""
    found: dict[str, dict[int, float]] = {}
    for number, line in enumerate(json_lines(file), 1):
        for key in line:
            if key.endswith("/loss") or key.startswith("eval/"):
                try:
                    found.setdefault(key, {})[int(line["step"])] = float(line[key])
                except (KeyError, TypeError, ValueError):
                    raise DataError(f"{file}:{number}: {key} has no number or no step; the file is damaged: restore it") from None
    return {key: tuple(curve.items()) for key, curve in found.items()}


def document(file: Path) -> dict[str, Any]:
    """A JSON document of a run of either edition, under the present names of its fields. Raises DataError."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: {error}; allowed: what sekft.train and sekft.eval write") from None
    if not isinstance(value, dict):
        raise DataError(f"{file}: found {type(value).__name__}, allowed: an object")
    return first_edition.upgraded(file.name, value)


def _runs(folder: Path) -> list[Path]:
    """The folder itself if it is a run's, else the run folders in it, in numeric order."""
    if _is_run(folder):
        return [folder]
    return sorted(filter(_is_run, folder.glob("*")), key=_by_number)


def _started(folder: Path) -> str:
    """When the last of its runs started, ISO 8601; empty if that is unknown."""
    times = [""]
    for path in _runs(folder):
        with suppress(DataError):
            times.append(run(path).started)
    return max(times)


def _by_number(folder: Path) -> tuple[list[int], str]:
    """Sorts 2 before 10."""
    return [int(part) for part in re.findall(r"\d+", folder.name)], folder.name


def _is_run(folder: Path) -> bool:
    return (folder / RUN).exists() or (folder / ".hydra").is_dir()

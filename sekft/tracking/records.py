"""Runs as they are found on disk afterwards: which there are, which are whole, and what became of the others."""

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
from sekft.tracking.record import METRICS, RUN, SUMMARY

Curve = tuple[tuple[int, float], ...]  # (step, value), as logged; of one step the last


@dataclass(frozen=True)
class Record:
    """A run that ended well. run: run.json; summary: summary.json; curves: every loss and eval/<rate> that was logged."""

    folder: Path
    run: Mapping[str, Any]
    summary: Mapping[str, Any]
    curves: Mapping[str, Curve]


@dataclass(frozen=True)
class Lost:
    """A run that cannot be read as one that ended well, and why."""

    folder: Path
    why: str


def find(places: Iterable[str]) -> list[Path]:
    """The run folders of sweeps, runs and globs, each once, jobs in their order. Raises DataError for a place without any."""
    found: dict[Path, None] = {}
    for place in places:
        folders = [Path(place)] if Path(place).is_dir() else [Path(one) for one in sorted(glob(place))]  # noqa: PTH207, Path.glob takes no absolute one
        inside = [run for folder in folders if folder.is_dir() for run in _runs(folder)]
        if not inside:
            raise DataError(f"runs: {place or '(empty)'}: no run there; allowed: a run folder, a sweep, or a glob of them")
        found |= dict.fromkeys(inside)
    return list(found)


def below(folder: Path) -> list[Path]:
    """Every run in a folder and the folders in it, in the order of their names; the folder itself, if it is of a run."""
    found = [file.parent for file in folder.rglob(RUN)]
    return sorted(run for run in found if not any(part.startswith(".") for part in run.relative_to(folder).parts))


def newest(folder: Path) -> Path:
    """The run or sweep below that was begun last. Raises DataError."""
    folders = sorted((path for path in folder.glob("*") if path.is_dir() and _runs(path)), key=lambda path: (_begun(path), path.name))
    if not folders:
        raise DataError(f"runs: {folder} has none; allowed: runs=FOLDER, or first python -m sekft.train")
    return folders[-1]


def read(folder: Path) -> Record | Lost:
    if not (folder / RUN).exists():
        return Lost(folder, "refused before it began, see its log")
    run = document(folder / RUN)
    match run.get("status"):
        case "done" if (folder / SUMMARY).exists():
            return Record(folder, run, summary(folder), curves(folder / METRICS))
        case "running":
            return Lost(folder, "not finished: still running, or killed")
        case status:
            return Lost(folder, f"{status}: {run.get('error') or 'no summary'}")


def summary(folder: Path) -> dict[str, Any]:
    """summary.json of a run of either edition. Raises DataError."""
    return document(folder / SUMMARY)


def settings(folder: Path) -> dict[str, Any]:
    """As in run.json. Raises DataError."""
    return dict(document(folder / RUN).get("settings") or {})


def _runs(folder: Path) -> list[Path]:
    """The folder itself if it is of a run, else those right below it, numbers in their order."""
    if _is_run(folder):
        return [folder]
    return sorted(filter(_is_run, folder.glob("*")), key=_place)


def _begun(folder: Path) -> str:
    """When the last of its runs was; empty where none began, or none says it."""
    said = [""]
    for run in _runs(folder):
        with suppress(DataError):
            said.append(str(document(run / RUN).get("started") or ""))
    return max(said)


def _place(folder: Path) -> tuple[list[int], str]:
    """Jobs by number: 2 before 10."""
    return [int(part) for part in re.findall(r"\d+", folder.name)], folder.name


def _is_run(folder: Path) -> bool:
    return (folder / RUN).exists() or (folder / ".hydra").is_dir()


def curves(file: Path) -> dict[str, Curve]:
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.exists() else []
    found: dict[str, dict[int, float]] = {}
    for line in lines:
        for key in line:
            if key.endswith("/loss") or key.startswith("eval/"):
                found.setdefault(key, {})[int(line["step"])] = float(line[key])
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

"""A training handed over to other processes by a folder: settings and rows go there, what they tell comes back."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sekft.config import TrainConfig
from sekft.data import cache
from sekft.data.recipe import PreparedData
from sekft.errors import SekftError, WhereError
from sekft.tracking.files import append_line, write_json
from sekft.tracking.record import one_line

FOLDER = "training"  # in the folder of the run
SETTINGS, ROWS, TOLD = "settings.json", "rows.npz", "told.jsonl"


def hand_over(folder: Path, settings: TrainConfig, made: PreparedData) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob(f"*{TOLD}"), *folder.glob("*.log")):
        old.unlink()
    write_json(folder / SETTINGS, asdict(settings))
    cache.write(folder / ROWS, made)


def settings_of(folder: Path) -> TrainConfig:
    told = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainConfig), told))  # type: ignore[return-value]


def rows_of(folder: Path) -> PreparedData:
    """Raises WhereError."""
    made = cache.read(folder / ROWS)
    if made is None:
        raise WhereError(f"{folder / ROWS}: not there, or not whole")
    return made


class Telling:
    """Has the shape of a tracked run for the processes of a training. Only the first of them is heard; a refusal is, of every one."""

    def __init__(self, folder: Path, rank: int) -> None:
        self.folder = folder.parent  # of the run
        self._rank = rank
        self._file = (folder / f"{rank}.{TOLD}").open("a", encoding="utf-8")

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._tell("log", {"metrics": dict(metrics), "step": step})

    def adapter(self, folder: Path, metadata: Mapping[str, Any]) -> None:
        self._tell("adapter", {"folder": folder, "metadata": metadata})

    def said(self, line: str) -> None:
        self._tell("said", line)

    def trained(self, values: Mapping[str, Any]) -> None:
        self._tell("trained", values)

    def refused(self, line: str) -> None:
        append_line(self._file, {"refused": line})

    def _tell(self, what: str, value: Any) -> None:
        if not self._rank:
            append_line(self._file, {what: value})


@contextmanager
def telling(folder: Path) -> Iterator[Telling]:
    """Of the process that this is. What it says to the log of its run and what it ends with are told, too."""
    track = Telling(folder, int(os.environ.get("RANK", "0")))

    class Saying(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "sekft":
                track.said(record.getMessage())

    logging.getLogger("sekft").setLevel(logging.INFO)
    logging.getLogger().addHandler(handler := Saying())
    try:
        yield track
    except Exception as error:
        track.refused(one_line(error))
        raise SystemExit(error.exit_status if isinstance(error, SekftError) else 1) from error
    finally:
        logging.getLogger().removeHandler(handler)


class Heard:
    """What has been told since it was asked last, of all processes, whole lines only."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._read = folder, dict[Path, int]()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for file in sorted(self._folder.glob(f"*.{TOLD}")):
            with file.open("rb") as told:
                told.seek(self._read.get(file, 0))
                for line in told:
                    if line.endswith(b"\n"):
                        self._read[file] = self._read.get(file, 0) + len(line)
                        yield from json.loads(line).items()

"""The folder by which a training is handed to other processes: settings and rows go in, events and the result come out."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from sekft.config import TrainConfig
from sekft.data import cache
from sekft.data.recipe import PreparedData
from sekft.errors import SekftError, WhereError
from sekft.tracking.files import append_line, write_json
from sekft.tracking.record import one_line

if TYPE_CHECKING:
    from sekft.train.selection import Choice

FOLDER = "training"  # in the folder of the run
SETTINGS, ROWS, EVENTS = "settings.json", "rows.npz", "events.jsonl"


@dataclass(frozen=True)
class TrainingResult:
    """A trained adapter, loaded fresh and proven."""

    adapter: Path
    step: int  # the one whose weights it has
    choice: "Choice | None"  # None without measurements during training
    steps: int  # of the whole training
    val_loss: float | None  # after the last step


def write_inputs(folder: Path, settings: TrainConfig, rows: PreparedData) -> None:
    """Write settings and rows, and remove events and logs of an earlier training."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob(f"*{EVENTS}"), *folder.glob("*.log")):
        old.unlink()
    write_json(folder / SETTINGS, asdict(settings))
    cache.write(folder / ROWS, rows)


def read_settings(folder: Path) -> TrainConfig:
    document = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainConfig), document))  # type: ignore[return-value]


def read_rows(folder: Path) -> PreparedData:
    """Raises WhereError."""
    rows = cache.read(folder / ROWS)
    if rows is None:
        raise WhereError(f"{folder / ROWS}: missing or incomplete")
    return rows


class EventWriter:
    """Writes the events of one process; has the log and adapter methods of a tracked run.

    Only rank 0 writes metrics, adapter, messages and the result; every rank writes its error.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self.folder = folder.parent  # of the run
        self._rank = rank
        self._file = (folder / f"{rank}.{EVENTS}").open("a", encoding="utf-8")

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._write("log", {"metrics": dict(metrics), "step": step})

    def adapter(self, folder: Path, metadata: Mapping[str, Any]) -> None:
        self._write("adapter", {"folder": folder, "metadata": metadata})

    def message(self, line: str) -> None:
        self._write("message", line)

    def result(self, result: TrainingResult) -> None:
        self._write("result", asdict(result))

    def error(self, line: str) -> None:
        append_line(self._file, {"error": line})

    def _write(self, event: str, value: Any) -> None:
        if not self._rank:
            append_line(self._file, {event: value})


@contextmanager
def writing_events(folder: Path) -> Iterator[EventWriter]:
    """The event writer of this process; log messages of sekft and an error that ends the block become events, too."""
    events = EventWriter(folder, int(os.environ.get("RANK", "0")))

    class MessageHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "sekft":
                events.message(record.getMessage())

    logging.getLogger("sekft").setLevel(logging.INFO)
    logging.getLogger().addHandler(handler := MessageHandler())
    try:
        yield events
    except Exception as error:
        events.error(one_line(error))
        raise SystemExit(error.exit_status if isinstance(error, SekftError) else 1) from error
    finally:
        logging.getLogger().removeHandler(handler)


class EventReader:
    """Each iteration yields (event, value) of all processes for the whole lines written since the last iteration."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._read = folder, dict[Path, int]()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for path in sorted(self._folder.glob(f"*.{EVENTS}")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                for line in file:
                    if line.endswith(b"\n"):
                        self._read[path] = self._read.get(path, 0) + len(line)
                        yield from json.loads(line).items()

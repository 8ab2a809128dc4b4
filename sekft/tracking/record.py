"""The run record, the truth on disk: run.json, metrics.jsonl and summary.json in the folder of the run."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TextIO

from sekft.errors import SekftError, SettingsError
from sekft.tracking import events
from sekft.tracking.digest import hash_code
from sekft.tracking.files import append_line, lock, now, write_json
from sekft.tracking.heartbeat import beating
from sekft.tracking.manifest import manifest

SCHEMA_VERSION = 1
LOCK = ".run"
RUN, METRICS, SUMMARY, CHECKPOINTS = "run.json", "metrics.jsonl", "summary.json", "checkpoints"
RESULTS = (  # of the commands; checkpoints and *.partial.jsonl stay, a run may go on from them
    *("adapter", "artifact.json", "best", "behaviour.jsonl", "episodes.jsonl", "answers.jsonl", "trajectories.jsonl", "episodes"),
    *("development.jsonl", "iteration.json", "report.html"),
    *("authored.jsonl", "scenarios", "card.json", "card.md", "messages.jsonl", "pairs.jsonl", "harbor", "SHA256SUMS"),
)
STAGES = {"train": ("load", "rehearsal", "train", "eval"), "eval": ("load", "eval"), "collect": ("episodes",), "pretrain": ("train",)}
AUDITED = f"the last line of {events.EVENTS} names every file by its sha256"
LONGEST_ERROR = 500  # characters


class Run:
    """A run that is under way. about: what run.json says, so far."""

    def __init__(self, folder: Path, metrics: TextIO, about: dict[str, Any]) -> None:
        self.folder = folder
        self._metrics, self._about = metrics, about

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Append one line {"time", "step", ...metrics}; it survives whatever happens to the process next."""
        append_line(self._metrics, {"time": now(), "step": step} | {key: float(value) for key, value in metrics.items()})

    def know(self, **facts: Any) -> None:
        """What run.json says from now on, too: what was not known when the run was opened."""
        self._about |= facts
        write_json(self.folder / RUN, self._about)

    def summary(self, values: Mapping[str, Any]) -> None:
        """Replace summary.json, atomically; its verdict stands in run.json, too."""
        write_json(self.folder / SUMMARY, values)
        if "verdict" in values:
            self.know(verdict=values["verdict"])


@contextmanager
def open_run(
    folder: Path, command: str, settings: Mapping[str, Any], overrides: Sequence[str], seed: int, facts: Mapping[str, Any] | None = None
) -> Iterator[Run]:
    """Keep the record of one run: status running, then done, failed (an error) or interrupted (Ctrl-C, SIGTERM, an exit).

    A record that is already in the folder is kept under a number, with what it is about: run.1.json, adapter.1, ...
    Raises SettingsError while another process has a run there.
    A run.json that stays "running" belongs to a process that was killed; its metrics are whole lines.
    """
    with alone(folder):
        yield from _open(folder, command, settings, overrides, seed, facts or {})


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process writes a run in this folder. Raises SettingsError; the lock of a killed process is free."""
    taken = SettingsError(f"{folder}: another process writes its run there; allowed: another hydra.run.dir=FOLDER")
    with lock(folder / LOCK, taken):
        yield


def _open(
    folder: Path, command: str, settings: Mapping[str, Any], overrides: Sequence[str], seed: int, facts: Mapping[str, Any]
) -> Iterator[Run]:
    set_aside(*(folder / name for name in (RUN, METRICS, SUMMARY, *RESULTS)))
    opened = {"schema_version": SCHEMA_VERSION, "command": command, "status": "running", "error": None}
    opened |= {"started": now(), "ended": None, "seconds": None, "seed": seed, "overrides": list(overrides)}
    opened |= manifest() | {"settings": settings}
    opened |= {"code": hash_code()["code"], "artefacts": AUDITED, **facts}
    write_json(folder / RUN, opened)
    events.add_event(folder, events.OPENED, command=command, seed=seed, overrides=list(overrides), git=opened["git"])
    start = time.monotonic()

    def close(status: str, error: BaseException | None) -> None:
        seconds = round(time.monotonic() - start, 3)
        closed = {"status": status, "error": error and one_line(error), "ended": now(), "seconds": seconds}
        with nullcontext() if error is None else suppress(OSError):  # an error must not hide behind a disk that is full
            write_json(folder / RUN, opened | closed)
            events.close(folder, status)

    with (folder / METRICS).open("a", encoding="utf-8") as metrics, beating(folder, STAGES.get(command, ())):
        try:
            yield Run(folder, metrics, opened)
        except Exception as error:
            close("failed", error)
            raise
        except BaseException as error:
            close("interrupted", error)
            raise
        close("done", None)


def one_line(error: BaseException) -> str:
    """The error as one line; our own refusals speak for themselves, others need their type."""
    text = " ".join(str(error).split())
    if not isinstance(error, SekftError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text[:LONGEST_ERROR]


def set_aside(*paths: Path) -> None:
    """What is there of these gets a number, the same for all."""
    number = 1
    while any(_numbered(path, number).exists() for path in paths):
        number += 1
    for path in paths:
        if path.exists():
            path.rename(_numbered(path, number))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")

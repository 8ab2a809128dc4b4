"""The record of a run on disk: run.json, metrics.jsonl, summary.json and the event log in the run's folder."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TextIO

from sekft import errors
from sekft.errors import SekftError, SettingsError
from sekft.tracking import events
from sekft.tracking.digest import hash_code
from sekft.tracking.files import append_line, lock, now, write_json
from sekft.tracking.heartbeat import heartbeat
from sekft.tracking.manifest import manifest

SCHEMA_VERSION = 1
LOCK = ".run"
RUN, METRICS, SUMMARY, CHECKPOINTS = "run.json", "metrics.jsonl", "summary.json", "checkpoints"
RESULTS = (  # files and folders that commands write; checkpoints and *.partial.jsonl are not among them, as a run may continue from them
    *("adapter", "artifact.json", "best", "behaviour.jsonl", "episodes.jsonl", "answers.jsonl", "trajectories.jsonl", "episodes"),
    *("development.jsonl", "iteration.json", "report.html"),
    *("authored.jsonl", "scenarios", "card.json", "card.md", "messages.jsonl", "pairs.jsonl", "harbor", "SHA256SUMS"),
)
STAGES = {"train": ("load", "rehearsal", "train", "eval"), "eval": ("load", "eval"), "collect": ("episodes",), "pretrain": ("train",)}
CHECKSUMS = f"the last line of {events.EVENTS} names every file by its sha256"
LONGEST_ERROR = 500  # characters


@dataclass(frozen=True)
class RunRecord:
    """run.json. status: running, done, failed or interrupted. facts: all other fields, such as versions, git, data and base."""

    command: str
    status: str
    error: str | None = None
    started: str = ""  # ISO 8601
    ended: str | None = None
    seconds: float | None = None
    seed: int | None = None
    overrides: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RunRecord":
        """A document of the present edition; missing fields have their defaults."""
        names = {one.name for one in fields(cls)} - {"facts"}
        known = {name: document[name] for name in names if document.get(name) is not None}
        facts = {key: value for key, value in document.items() if key not in names and key != "schema_version"}
        return cls(**{"command": "?", "status": "unreadable", **known, "overrides": tuple(known.get("overrides", ())), "facts": facts})

    def given_name(self) -> str | None:
        """The name that a person gave the run: tracker.name or WANDB_NAME."""
        named = self.facts.get("named")
        return named.get("name") if isinstance(named, Mapping) else None

    def to_json(self) -> dict[str, Any]:
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "facts"}
        return {"schema_version": SCHEMA_VERSION, **own, **self.facts}


class RunWriter:
    """Writes the record of a run that is under way."""

    def __init__(self, folder: Path, metrics: TextIO, record: RunRecord) -> None:
        self.folder = folder
        self.record = record
        self._metrics = metrics
        write_json(folder / RUN, record.to_json())

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Append one line {"time", "step", ...metrics}; it survives a kill of the process."""
        append_line(self._metrics, {"time": now(), "step": step} | {key: float(value) for key, value in metrics.items()})

    def carry(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines of the metrics of an earlier run that this one continues, as they are."""
        for line in lines:
            append_line(self._metrics, line)

    def add_facts(self, **facts: Any) -> None:
        """Add fields to run.json that were not known when the run was opened."""
        self.update(facts={**self.record.facts, **facts})

    def write_summary(self, values: Mapping[str, Any]) -> None:
        """Replace summary.json, atomically; a verdict in it goes into run.json, too."""
        write_json(self.folder / SUMMARY, values)
        if "verdict" in values:
            self.add_facts(verdict=values["verdict"])

    def update(self, **changes: Any) -> None:
        """Replace fields of run.json, atomically."""
        self.record = replace(self.record, **changes)
        write_json(self.folder / RUN, self.record.to_json())


@contextmanager
def open_run(
    folder: Path, command: str, settings: Mapping[str, Any], overrides: Sequence[str], seed: int, facts: Mapping[str, Any] | None = None
) -> Iterator[RunWriter]:
    """Keep the record of one run: status running, then done, failed (an error) or interrupted (Ctrl-C, SIGTERM, an exit).

    Results of an earlier run in the folder are renamed with a number: run.1.json, adapter.1, ...
    A run.json that stays "running" belongs to a process that was killed; its metrics are whole lines.
    Raises SettingsError while another process has a run there.
    """
    taken = SettingsError(f"{folder}: another process writes its run there; allowed: another hydra.run.dir=FOLDER")
    with lock(folder / LOCK, taken):
        set_aside(*(folder / name for name in (RUN, METRICS, SUMMARY, *RESULTS)))
        known = manifest() | {"code": hash_code()["code"], "artefacts": CHECKSUMS, **(facts or {})}
        record = RunRecord(command, "running", None, now(), None, None, seed, tuple(overrides), settings, known)
        with (folder / METRICS).open("a", encoding="utf-8") as metrics, heartbeat(folder, STAGES.get(command, ())):
            yield from _written(RunWriter(folder, metrics, record))


def _written(run: RunWriter) -> Iterator[RunWriter]:
    opened = {"command": run.record.command, "seed": run.record.seed, "overrides": run.record.overrides, "git": run.record.facts["git"]}
    events.add_event(run.folder, events.OPENED, **opened)
    start = time.monotonic()

    def close(status: str, error: BaseException | None) -> None:
        seconds = round(time.monotonic() - start, 3)
        with nullcontext() if error is None else suppress(OSError):  # a full disk must not hide the error
            run.update(status=status, error=error and one_line(error), ended=now(), seconds=seconds)
            events.close(run.folder, status)

    try:
        yield run
    except Exception as error:
        close("failed", error)
        raise
    except BaseException as error:
        close("interrupted", error)
        raise
    close("done", None)


def one_line(error: BaseException) -> str:
    """The error as one line: the message of a SekftError, of others with their type."""
    text, kind = errors.one_line(error), type(error).__name__
    return (text if isinstance(error, SekftError) or text == kind else f"{kind}: {text}")[:LONGEST_ERROR]


def set_aside(*paths: Path) -> None:
    """Rename the paths that exist with a number, the same for all: run.json -> run.1.json."""
    number = 1
    while any(_numbered(path, number).exists() for path in paths):
        number += 1
    for path in paths:
        if path.exists():
            path.rename(_numbered(path, number))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")

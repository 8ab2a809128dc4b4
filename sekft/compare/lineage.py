"""Where adapters come from: base, start policy, parent adapters, training data, code."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.compare.groups import EvaluatedRun, natural_order
from sekft.errors import DataError
from sekft.tracking import records
from sekft.tracking.digest import adapter_sha256
from sekft.tracking.files import flat
from sekft.tracking.record import RunRecord
from sekft.tracking.records import FinishedRun

DIGEST = 10  # characters shown of a commit or a sha256
EVIDENCE = "evidence"  # the folder of a release that holds the files of its run


@dataclass(frozen=True)
class Parent:
    """An adapter that training continued from. folder: of its run or release; text: what is known about it; page: its report.html."""

    folder: Path
    text: str
    page: Path | None


@dataclass(frozen=True)
class Lineage:
    """Runs with the same origin. names: of the runs. start: the policy, in words. parents: the nearest first."""

    names: tuple[str, ...]
    base: str
    start: str
    parents: tuple[Parent, ...]
    data: str
    code: str

    def __str__(self) -> str:
        chain = ", which came ".join(f"from {parent.text}" for parent in self.parents)
        return f"{', '.join(self.names)}: start={self.start}{f', {chain}' if chain else ''}"


def lineages(runs: Mapping[str, EvaluatedRun]) -> list[Lineage]:
    """The origins of these runs, each once. runs: by name."""
    names: dict[tuple[str, str, tuple[Parent, ...], str, str], list[str]] = {}
    for name, run in runs.items():
        origin = _base(run), _start(run), parents(run), _data(run), _code(run)
        names.setdefault(origin, []).append(name)
    return [Lineage(tuple(sorted(alike, key=natural_order)), *origin) for origin, alike in names.items()]


def parents(run: EvaluatedRun) -> tuple[Parent, ...]:
    """The adapters this one comes from, back to the first that was trained from nothing or whose run is not found.

    For a run of sekft.eval the first is the adapter it evaluated.
    """
    adapter = run.record.settings.get("adapter")
    adapter = adapter.get(run.agent) if isinstance(adapter, dict) else adapter
    expected = _parent_sha256(run.record) or ((run.record.facts.get("adapters") or {}).get(run.agent) or {}).get("sha256")
    chain: list[Parent] = []
    while adapter and all(parent.folder != Path(adapter).parent for parent in chain):
        record = _record(Path(adapter).parent)
        chain.append(_parent(Path(adapter), record, expected))
        adapter, expected = (record.record.settings.get("adapter"), _parent_sha256(record.record)) if record else (None, None)
    return tuple(chain)


def _parent_sha256(record: RunRecord) -> str | None:
    """The digest that the parent's weights had when the run began."""
    return ((record.facts.get("start") or {}).get("parent") or {}).get("sha256")


def _record(folder: Path) -> FinishedRun | None:
    """The record of the run in a folder, or of the run that a release there was made from."""
    try:
        record = records.read(folder / EVIDENCE if (folder / EVIDENCE).is_dir() else folder)
    except DataError:
        return None
    return record if isinstance(record, FinishedRun) else None


def _parent(adapter: Path, record: FinishedRun | None, expected: str | None) -> Parent:
    """expected: the digest of its weights when training continued from it."""
    digest = f", sha256 {expected[:DIGEST]}" if expected else ""
    changed = ", changed since" if expected and adapter.is_dir() and adapter_sha256(adapter) != expected else ""
    if record is None:
        return Parent(adapter.parent, f"{adapter} (no finished run there{digest}{changed})", None)
    page = record.folder / "report.html"
    text = f"{adapter} (seed {record.record.settings.get('seed')}, {_rows(record.summary)}{digest}{changed})"
    return Parent(adapter.parent, text, page if page.exists() else None)


def _start(run: EvaluatedRun) -> str:
    """The start policy in words; runs that were recorded before there was one have it derived from adapter=."""
    if run.record.command == "eval":
        return "none, an evaluation alone"
    began = "continue" if run.record.settings.get("adapter") else "bootstrap"
    start = run.record.facts.get("start") or {"began": began, "checkpoint": None}
    return f"{start['began']}, resumed from {Path(start['checkpoint']).name}" if start["checkpoint"] else str(start["began"])


def _base(run: EvaluatedRun) -> str:
    path = str(run.settings.get("model.path", "?"))
    unusual = {"model.weights": "random", "model.load_4bit": True}
    notes = [key.removeprefix("model.") for key, value in unusual.items() if run.settings.get(key) == value]
    return f"{path} ({', '.join(notes)})" if notes else path


def _data(run: EvaluatedRun) -> str:
    sources = flat(run.record.settings.get("data") or {})
    paths = [str(path or "made by the run") for key, path in sources.items() if key.startswith("sources.") and key.endswith(".path")]
    return f"{', '.join(paths)}: {_rows(run.summary)}" if paths else "as where it was trained"


def _rows(summary: Mapping[str, Any]) -> str:
    return f"{data['rows']} rows" if (data := summary.get("data")) else "rows unknown"


def _code(run: EvaluatedRun) -> str:
    git = run.record.facts.get("git") or {}
    sha = str(git.get("sha") or "")[:DIGEST]
    return f"{sha} and uncommitted changes" if sha and git.get("dirty") else sha or "unknown"

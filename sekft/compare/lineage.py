"""Where adapters come from: the base, how their run began, what they were trained on from, the training data, the code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.compare.groups import EvaluatedRun
from sekft.compare.links import Shown
from sekft.compare.order import natural
from sekft.errors import DataError
from sekft.tracking import records
from sekft.tracking.digest import adapter_sha256
from sekft.tracking.files import flat
from sekft.tracking.records import Record

COMMIT = 10  # characters, of a digest, too
EVIDENCE = "evidence"  # of a release: what its run left


@dataclass(frozen=True)
class Parent:
    """What the next one was trained on from. folder: of a run or a release; told: what is known of it; page: its own, or None."""

    folder: Path
    told: str
    page: Path | None


@dataclass(frozen=True)
class Lineage:
    """Of runs that come from the same. names: theirs on the page; start: the policy, in words; parents: the nearest first."""

    names: tuple[str, ...]
    base: str
    start: str
    parents: tuple[Parent, ...]
    data: str
    code: str

    def __str__(self) -> str:
        came = ", which came ".join(f"from {parent.told}" for parent in self.parents)
        return f"{', '.join(self.names)}: start={self.start}{f', {came}' if came else ''}"


def lineages(runs: Sequence[Shown]) -> list[Lineage]:
    found: dict[tuple[str, str, tuple[Parent, ...], str, str], list[str]] = {}
    for one in runs:
        told = _base(one.run), _start(one.run), parents(one.run), _data(one.run), _code(one.run)
        found.setdefault(told, []).append(one.name)
    return [Lineage(tuple(sorted(alike, key=natural)), *origin) for origin, alike in found.items()]


def parents(run: EvaluatedRun) -> tuple[Parent, ...]:
    """Up to one that began from nothing, or is not to be found from here; of an evaluation alone the training comes first."""
    given = (run.run.get("settings") or {}).get("adapter")
    adapter = given.get(run.agent) if isinstance(given, dict) else given
    expected = _sha256(run.run) or ((run.run.get("adapters") or {}).get(run.agent) or {}).get("sha256")
    found: list[Parent] = []
    while adapter and all(parent.folder != Path(adapter).parent for parent in found):
        record = _record(Path(adapter).parent)
        found.append(_parent(Path(adapter), record, expected))
        adapter, expected = (record.run["settings"].get("adapter"), _sha256(record.run)) if record else (None, None)
    return tuple(found)


def _sha256(record: Mapping[str, Any]) -> str | None:
    """Of the weights it began with."""
    return ((record.get("start") or {}).get("parent") or {}).get("sha256")


def _record(folder: Path) -> Record | None:
    """Of the run, or of the run whose release it is."""
    try:
        record = records.read(folder / EVIDENCE if (folder / EVIDENCE).is_dir() else folder)
    except DataError:
        return None
    return record if isinstance(record, Record) else None


def _parent(adapter: Path, record: Record | None, expected: str | None) -> Parent:
    known = f", sha256 {expected[:COMMIT]}" if expected else ""
    changed = ", changed since" if expected and adapter.is_dir() and adapter_sha256(adapter) != expected else ""
    if record is None:
        return Parent(adapter.parent, f"{adapter} (no finished run there{known}{changed})", None)
    page = record.folder / "report.html"
    settings = record.run["settings"]
    told = f"seed {settings.get('seed')}, {_rows(record.summary)}{known}{changed}"
    return Parent(adapter.parent, f"{adapter} ({told})", page if page.exists() else None)


def _start(run: EvaluatedRun) -> str:
    """As the record says; of an evaluation alone there is none."""
    settings = run.run.get("settings") or {}
    if run.run.get("command") == "eval":
        return "none, an evaluation alone"
    start = run.run.get("start") or {"began": "continue" if settings.get("adapter") else "bootstrap", "checkpoint": None}
    return f"{start['began']}, gone on from {Path(start['checkpoint']).name}" if start["checkpoint"] else str(start["began"])


def _base(run: EvaluatedRun) -> str:
    path = str(run.settings.get("model.path", "?"))
    kinds = {"model.weights": "random", "model.load_4bit": True}
    extra = [key.removeprefix("model.") for key, odd in kinds.items() if run.settings.get(key) == odd]
    return f"{path} ({', '.join(extra)})" if extra else path


def _data(run: EvaluatedRun) -> str:
    settings = run.run.get("settings") or {}
    sources = flat(settings.get("data") or {})
    paths = [str(path or "made by the run") for key, path in sources.items() if key.startswith("sources.") and key.endswith(".path")]
    return f"{', '.join(paths)}: {_rows(run.summary)}" if paths else "as where it was trained"


def _rows(summary: Any) -> str:
    return f"{data['rows']} rows" if (data := summary.get("data")) else "rows unknown"


def _code(run: EvaluatedRun) -> str:
    git = run.run.get("git") or {}
    sha = str(git.get("sha") or "")[:COMMIT]
    return f"{sha} and uncommitted changes" if sha and git.get("dirty") else sha or "unknown"

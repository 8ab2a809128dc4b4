"""Where adapters come from: the base, the runs whose adapters were trained on from, the training data, the code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.errors import DataError
from sekft.exam.groups import Examined, flat
from sekft.report.order import natural
from sekft.report.shown import Shown
from sekft.tracking import records
from sekft.tracking.records import Record

COMMIT = 10  # characters


@dataclass(frozen=True)
class Parent:
    """A run whose adapter the next one was trained on from. told: what is known of it; page: its own, None where it has none."""

    folder: Path
    told: str
    page: Path | None


@dataclass(frozen=True)
class Lineage:
    """Of runs that come from the same. names: theirs on the page; parents: the nearest first."""

    names: tuple[str, ...]
    base: str
    parents: tuple[Parent, ...]
    data: str
    code: str


def lineages(runs: Sequence[Shown]) -> list[Lineage]:
    found: dict[tuple[str, tuple[Parent, ...], str, str], list[str]] = {}
    for one in runs:
        found.setdefault((_base(one.run), parents(one.run), _data(one.run), _code(one.run)), []).append(one.name)
    return [Lineage(tuple(sorted(alike, key=natural)), *origin) for origin, alike in found.items()]


def parents(run: Examined) -> tuple[Parent, ...]:
    """Up to one that began from nothing, or is not to be found from here; of an exam alone the training comes first."""
    given = (run.run.get("settings") or {}).get("adapter")
    adapter = given.get(run.player) if isinstance(given, dict) else given
    found: list[Parent] = []
    while adapter and all(parent.folder != Path(adapter).parent for parent in found):
        record = _record(Path(adapter).parent)
        found.append(_parent(Path(adapter), record))
        adapter = record.run["settings"].get("adapter") if record else None
    return tuple(found)


def _record(folder: Path) -> Record | None:
    try:
        record = records.read(folder)
    except DataError:
        return None
    return record if isinstance(record, Record) else None


def _parent(adapter: Path, record: Record | None) -> Parent:
    if record is None:
        return Parent(adapter.parent, f"{adapter} (no finished run there)", None)
    page = record.folder / "report.html"
    settings = record.run["settings"]
    return Parent(record.folder, f"{adapter} (seed {settings.get('seed')}, {_rows(record.summary)})", page if page.exists() else None)


def _base(run: Examined) -> str:
    path = str(run.settings.get("model.path", "?"))
    kinds = {"model.weights": "random", "model.load_4bit": True}
    extra = [key.removeprefix("model.") for key, odd in kinds.items() if run.settings.get(key) == odd]
    return f"{path} ({', '.join(extra)})" if extra else path


def _data(run: Examined) -> str:
    settings = run.run.get("settings") or {}
    sources = flat(settings.get("data") or {})
    paths = [str(path or "made by the run") for key, path in sources.items() if key.startswith("sources.") and key.endswith(".path")]
    return f"{', '.join(paths)}: {_rows(run.summary)}" if paths else "as where it was trained"


def _rows(summary: Any) -> str:
    return f"{data['rows']} rows" if (data := summary.get("data")) else "rows unknown"


def _code(run: Examined) -> str:
    git = run.run.get("git") or {}
    sha = str(git.get("sha") or "")[:COMMIT]
    return f"{sha} and uncommitted changes" if sha and git.get("dirty") else sha or "unknown"

"""The sources of a run: the reader of each kind, and reading all of them."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from sekft.config import DataConfig, SourceConfig, SourceKind
from sekft.data.files import find_files
from sekft.data.lines import JSONL
from sekft.data.reader import Reader, ReadStats
from sekft.data.sample import Sample
from sekft.data.source import chatgpt_export, decisions, gptme, hub, oasst, shell, tinystories
from sekft.data.split import fraction
from sekft.errors import DataError, SettingsError

READERS: dict[SourceKind, Reader] = {
    SourceKind.shell: shell.read,
    SourceKind.decisions: decisions.read,
    SourceKind.hub: hub.read,
    SourceKind.oasst: oasst.read,
    SourceKind.chatgpt_export: chatgpt_export.read,
    SourceKind.gptme: gptme.read,
    SourceKind.tinystories: tinystories.read,
}
SUFFIXES: dict[SourceKind, tuple[str, ...]] = {
    SourceKind.shell: JSONL,
    SourceKind.decisions: JSONL,
    SourceKind.hub: hub.FILES,
    SourceKind.oasst: JSONL,
    SourceKind.chatgpt_export: chatgpt_export.JSON,
    SourceKind.gptme: gptme.LOGS,
    SourceKind.tinystories: (".txt",),
}
Report = Callable[[str], None]


def read(data: DataConfig, report: Report = lambda line: None) -> list[Sample]:
    """The samples of every source, in the order of the sources. Raises DataError, SettingsError.

    report: gets a line on the records that were skipped, changed or invalid.
    """
    if not data.sources:
        raise SettingsError(f"data: no source chosen; allowed: one or more of {', '.join(SourceKind)}, as 'data=[shell]'")
    samples: list[Sample] = []
    for name, source in data.sources.items():
        stats = ReadStats(source.max_bad)
        samples += stream(name, source, stats)
        for line in stats.lines():
            report(f"data.sources.{name}: {line}")
    return samples


def stream(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """The samples of one source, one at a time, cut by share and max_samples. Raises SettingsError, and DataError if there are none."""
    source_files(name, source)
    if not 0 < source.share <= 1:
        raise SettingsError(f"data.sources.{name}.share: found {source.share}, allowed: above 0, up to 1")
    for key in ("max_samples", "follow_ups"):
        if (value := getattr(source, key)) < 0:
            raise SettingsError(f"data.sources.{name}.{key}: found {value}, allowed: 0 or more")
    used = (sample for sample in _counted(name, source, stats) if source.share == 1 or fraction(sample.id, 0) < source.share)
    yield from islice(used, source.max_samples or None)
    if not stats.read:
        reasons = "; ".join(stats.lines()) or "no records"
        raise DataError(f"data.sources.{name}.path={source.path}: no samples ({reasons})")


def source_files(name: str, source: SourceConfig) -> list[Path]:
    """The files that stream() reads. Raises SettingsError, DataError."""
    if not source.path:
        raise SettingsError(f"no value for data.sources.{name}.path (give it: data.sources.{name}.path=FILE_OR_FOLDER)")
    return find_files(source.path, SUFFIXES[source.kind])


def _counted(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    for sample in READERS[source.kind](name, source, stats):
        stats.read += 1
        yield sample

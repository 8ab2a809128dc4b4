"""The sources of a run, each read by the module of its kind; what is left out is told."""

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
Say = Callable[[str], None]


def read(data: DataConfig, say: Say = lambda line: None) -> list[Sample]:
    """The samples of every source, in the order of the sources; say: what was left out. Raises DataError, SettingsError."""
    if not data.sources:
        raise SettingsError(f"data: no source chosen; allowed: one or more of {', '.join(SourceKind)}, as 'data=[shell]'")
    samples: list[Sample] = []
    for name, source in data.sources.items():
        stats = ReadStats(source.max_bad)
        samples += stream(name, source, stats)
        for line in stats.lines():
            say(f"data.sources.{name}: {line}")
    return samples


def stream(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One source, sample by sample, as far as share and max_samples let it. Raises DataError where nothing is left, SettingsError."""
    source_files(name, source)
    if not 0 < source.share <= 1:
        raise SettingsError(f"data.sources.{name}.share: found {source.share}, allowed: above 0, up to 1")
    for key in ("max_samples", "follow_ups"):
        if (found := getattr(source, key)) < 0:
            raise SettingsError(f"data.sources.{name}.{key}: found {found}, allowed: 0 or more")
    used = (sample for sample in _counted(name, source, stats) if source.share == 1 or fraction(sample.id, 0) < source.share)
    yield from islice(used, source.max_samples or None)
    if not stats.read:
        said = "; ".join(stats.lines()) or "no record in it"
        raise DataError(f"data.sources.{name}.path={source.path}: nothing to learn from ({said})")


def source_files(name: str, source: SourceConfig) -> list[Path]:
    """What stream reads. Raises SettingsError, DataError."""
    if not source.path:
        raise SettingsError(f"no value for data.sources.{name}.path (give it: data.sources.{name}.path=FILE_OR_FOLDER)")
    return find_files(source.path, SUFFIXES[source.kind])


def _counted(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    for sample in READERS[source.kind](name, source, stats):
        stats.read += 1
        yield sample

"""The sources of a run: the reader of each kind, and reading all of them."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from sekft.config import DataConfig, SourceConfig, SourceKind
from sekft.config.data import OWN
from sekft.data.files import find_files
from sekft.data.lines import JSONL
from sekft.data.reader import Reader, ReadStats
from sekft.data.recognise import recognise
from sekft.data.sample import Sample
from sekft.data.source import chatgpt_export, decisions, gptme, oasst, rows, tinystories, trajectories
from sekft.data.split import fraction
from sekft.errors import DataError, SettingsError

READERS: dict[SourceKind, Reader] = {  # auto is none of them: it is read file by file, each by the reader of its format
    SourceKind.messages: rows.read,
    SourceKind.sharegpt: rows.read,
    SourceKind.prompt_completion: rows.read,
    SourceKind.alpaca: rows.read,
    SourceKind.trajectories: trajectories.read,
    SourceKind.decisions: decisions.read,
    SourceKind.oasst: oasst.read,
    SourceKind.chatgpt_export: chatgpt_export.read,
    SourceKind.gptme: gptme.read,
    SourceKind.tinystories: tinystories.read,
}
SUFFIXES: dict[SourceKind, tuple[str, ...]] = {
    SourceKind.trajectories: JSONL,
    SourceKind.decisions: JSONL,
    SourceKind.oasst: JSONL,
    SourceKind.gptme: gptme.LOGS,
    SourceKind.tinystories: (".txt",),
}
Report = Callable[[str], None]


def read(data: DataConfig, report: Report = lambda line: None) -> list[Sample]:
    """The samples of every source, in the order of the sources. Raises DataError, SettingsError.

    report: gets a line on the format that was recognised, and on the records that were skipped, changed or invalid.
    """
    require_files(data)
    samples: list[Sample] = []
    for name, source in data.sources.items():
        stats = ReadStats(source.max_bad, name=name)
        samples += stream(name, source, stats, report)
        for line in stats.lines():
            report(f"{_place(name)}: {line}")
    return samples


def require_files(data: DataConfig) -> None:
    """Check, before anything is played or loaded, that every source is there and its format known. Raises SettingsError, DataError."""
    if not data.sources:
        raise SettingsError(f"data: no source chosen; allowed: data.path=FILE, or 'data=[shell]' and others of {', '.join(SourceKind)}")
    if data.path and OWN not in data.sources:
        chosen = ",".join((OWN, *data.sources))
        raise SettingsError(f"data.path={data.path}: not among the chosen sources; write 'data=[{chosen}]' data.path={data.path}")
    played = sources_without_path(data)
    for name, source in data.sources.items():
        if source not in played:
            source_files(name, source)


def stream(name: str, source: SourceConfig, stats: ReadStats, report: Report = lambda line: None) -> Iterator[Sample]:
    """The samples of one source, one at a time, cut by share and max_samples. Raises SettingsError, and DataError if there are none."""
    source_files(name, source)
    if not 0 < source.share <= 1:
        raise SettingsError(f"data.sources.{name}.share: found {source.share}, allowed: above 0, up to 1")
    for key in ("max_samples", "follow_ups"):
        if (value := getattr(source, key)) < 0:
            raise SettingsError(f"data.sources.{name}.{key}: found {value}, allowed: 0 or more")
    samples = _counted(name, source, stats, report)
    used = (sample for sample in samples if source.share == 1 or fraction(sample.share_key, 0) < source.share)
    yield from islice(used, source.max_samples or None)
    stats.require_few()
    if not stats.read:
        reasons = "; ".join(stats.lines()) or "no records"
        raise DataError(f"{_place(name)}={source.path}: no samples ({reasons})")


def source_files(name: str, source: SourceConfig) -> list[Path]:
    """The files that stream() reads. Raises SettingsError, DataError."""
    if not source.path:
        raise SettingsError(f"no value for {_place(name)} (give it: {_place(name)}=FILE_OR_FOLDER)")
    if source.kind is SourceKind.auto:
        return [file for file, _, _ in recognise(source).files]
    if READERS[source.kind] is rows.read:
        return rows.row_files(source)
    if source.kind is SourceKind.chatgpt_export:
        return chatgpt_export.export_files(source)
    return find_files(source.path, SUFFIXES[source.kind])


def sources_without_path(data: DataConfig) -> list[SourceConfig]:
    """The sources of trajectories that have no file: reference episodes fill them."""
    return [
        source for name, source in data.sources.items() if source.kind is SourceKind.trajectories and source.path is None and name != OWN
    ]


def _counted(name: str, source: SourceConfig, stats: ReadStats, report: Report) -> Iterator[Sample]:
    """The samples of the source, of every recognised file if its format is not given."""
    parts = [source]
    if source.kind is SourceKind.auto:
        recognised = recognise(source)
        report(f"data: {recognised.line(str(source.path))}")
        parts = list(recognised.parts(source))
    for part in parts:
        for sample in READERS[part.kind](name, part, stats):
            stats.read += 1
            yield sample


def _place(name: str) -> str:
    """The setting that gives the path of a source."""
    return "data.path" if name == OWN else f"data.sources.{name}.path"

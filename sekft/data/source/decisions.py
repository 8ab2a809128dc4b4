"""Decision points: what should have been typed where, as mode=shell and mode=review of sekft.chat keep it."""

from collections.abc import Iterator

from sekft.config import SourceConfig
from sekft.data import decision
from sekft.data.files import find_files
from sekft.data.lines import JSONL
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample, decision_sample


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """Of a *.jsonl(.gz) file, of a folder of them, or of a Hub dataset. One without a scenario is a group of its own."""
    for one in decision.read(find_files(source.path or "", JSONL), source.max_line_bytes, stats):
        yield decision_sample(one.id, one.scenario or one.id, name, one.context, one.continuation)

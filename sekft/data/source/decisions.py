"""Reads decision points, as sekft.chat with mode=shell and mode=review writes them."""

from collections.abc import Iterator

from sekft.config import SourceConfig
from sekft.data import decision
from sekft.data.files import find_files
from sekft.data.lines import JSONL
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample, decision_sample


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample per decision point; one without a scenario is a group of its own."""
    for point in decision.read(find_files(source.path or "", JSONL), source.max_line_bytes, stats):
        yield decision_sample(point.id, point.scenario or point.id, name, point.context, point.continuation)

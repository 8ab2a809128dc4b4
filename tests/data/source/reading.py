"""Helpers that read a source in a test."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sekft.config import SourceConfig, SourceKind
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.data.sources import stream


def read(kind: str, path: Path, max_bad: int | None = 0, **settings: Any) -> tuple[list[Sample], ReadStats]:
    stats = ReadStats(max_bad)
    return list(stream(kind, SourceConfig(kind=SourceKind(kind), path=str(path), **settings), stats)), stats


def put(path: Path, records: Sequence[Any]) -> Path:
    """JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def turns(sample: Sample) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in sample.messages]

"""Renders samples in several processes, with the rows and counts that one process gives."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from sekft.config import DataConfig, MaskConfig
from sekft.data import sample as serial
from sekft.data.accounting import Counts
from sekft.data.sample import Row, Sample
from sekft.rendering.tokenizer import ChatTokenizer

MIN_SAMPLES = 4000  # with fewer, starting processes costs more than it saves
CHUNK_SAMPLES = 1000

_arguments: tuple[ChatTokenizer, MaskConfig, DataConfig, int]  # of serial.make_rows, in a worker process


def make_rows(
    samples: Sequence[Sample], tokenizer: ChatTokenizer, mask: MaskConfig, data: DataConfig, max_tokens: int, processes: int = 0
) -> tuple[list[Row], Counts]:
    """The same as sekft.data.sample.make_rows. processes: 0 means one per core."""
    processes = processes or os.cpu_count() or 1
    if processes == 1 or len(samples) < MIN_SAMPLES:
        return serial.make_rows(samples, tokenizer, mask, data, max_tokens)
    chunks = [samples[start : start + CHUNK_SAMPLES] for start in range(0, len(samples), CHUNK_SAMPLES)]
    arguments = (tokenizer.folder, tokenizer.template_name, tokenizer.options, mask, data, max_tokens)
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    rows: list[Row] = []
    counts = Counts()
    with ProcessPoolExecutor(min(processes, len(chunks)), context, _start_worker, arguments) as pool:
        for chunk_rows, chunk_counts in pool.map(_make_rows, chunks):
            rows += chunk_rows
            counts.add_all(chunk_counts)
    return rows, counts


def _start_worker(folder: Path, template: str | None, options: dict[str, Any], mask: MaskConfig, data: DataConfig, max_tokens: int) -> None:
    global _arguments
    _arguments = (ChatTokenizer(folder, template, options), mask, data, max_tokens)


def _make_rows(samples: Sequence[Sample]) -> tuple[list[Row], Counts]:
    return serial.make_rows(samples, *_arguments)

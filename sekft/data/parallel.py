"""Many samples are rendered by several processes; the rows and counts are those of one."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from sekft.config import DataConfig, MaskConfig
from sekft.data import sample as serial
from sekft.data.accounting import Counts
from sekft.data.sample import Row, Sample
from sekft.rendering.tokenizer import ChatTokenizer

WORTH_IT = 4000  # samples: below, starting processes costs more than it saves
CHUNK = 1000

_given: tuple[ChatTokenizer, MaskConfig, DataConfig, int]  # of a worker


def make_rows(
    samples: Sequence[Sample], tokenizer: ChatTokenizer, mask: MaskConfig, data: DataConfig, max_tokens: int, processes: int = 0
) -> tuple[list[Row], Counts]:
    """As sekft.data.sample.rows. processes: 0: as many as there are cores."""
    processes = processes or os.cpu_count() or 1
    if processes == 1 or len(samples) < WORTH_IT:
        return serial.make_rows(samples, tokenizer, mask, data, max_tokens)
    chunks = [samples[start : start + CHUNK] for start in range(0, len(samples), CHUNK)]
    given = (tokenizer.folder, tokenizer.template_name, mask, data, max_tokens)
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    out: list[Row] = []
    counts = Counts()
    with ProcessPoolExecutor(min(processes, len(chunks)), context, _begin, given) as pool:
        for made, counted in pool.map(_rows, chunks):
            out += made
            counts.add_all(counted)
    return out, counts


def _begin(folder: Path, template: str | None, mask: MaskConfig, data: DataConfig, max_tokens: int) -> None:
    global _given
    _given = (ChatTokenizer(folder, template), mask, data, max_tokens)


def _rows(samples: Sequence[Sample]) -> tuple[list[Row], Counts]:
    return serial.make_rows(samples, *_given)

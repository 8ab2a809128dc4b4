"""Several processes that train one model: this one is the first, the others are started and end with it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch.distributed as dist
import torch.multiprocessing as processes
from tokenizers import Tokenizer

from sekft.config.pretrain import PretrainConfig
from sekft.pretrain import loop
from sekft.pretrain.loop import Corpus, Tell


def train(settings: PretrainConfig, corpus: Corpus, tokenizer_file: Path, folder: Path, tell: Tell) -> None:
    """Train in settings.workers processes, up to settings.steps."""
    with tempfile.TemporaryDirectory(prefix="sekft-pretrain-") as meeting:
        others = [
            processes.get_context("spawn").Process(
                target=_other, args=(rank, settings, corpus, tokenizer_file, folder, meeting), daemon=True
            )
            for rank in range(1, settings.workers)
        ]
        for other in others:
            other.start()
        try:
            with _joined(0, settings.workers, meeting):
                loop.train(settings, corpus, Tokenizer.from_file(str(tokenizer_file)), folder, tell)
        finally:
            for other in others:
                other.terminate()
                other.join()


def _other(rank: int, settings: PretrainConfig, corpus: Corpus, tokenizer_file: Path, folder: Path, meeting: str) -> None:
    with _joined(rank, settings.workers, meeting):
        loop.train(settings, corpus, Tokenizer.from_file(str(tokenizer_file)), folder)


@contextmanager
def _joined(rank: int, workers: int, meeting: str) -> Iterator[None]:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if workers == 1:
        yield
        return
    dist.init_process_group("gloo", init_method=f"file://{meeting}/workers", rank=rank, world_size=workers)
    try:
        yield
    finally:
        dist.destroy_process_group()

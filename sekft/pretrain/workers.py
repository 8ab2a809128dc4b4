"""The worker processes of a training: this process is the first worker; it starts the others and ends them."""

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
from sekft.pretrain.loop import Corpus, OnStep


def train(settings: PretrainConfig, corpus: Corpus, tokenizer_file: Path, folder: Path, on_step: OnStep) -> None:
    """Train in settings.workers processes, up to settings.steps."""
    with tempfile.TemporaryDirectory(prefix="sekft-pretrain-") as rendezvous:
        others = [
            processes.get_context("spawn").Process(
                target=_run_worker, args=(rank, settings, corpus, tokenizer_file, folder, rendezvous), daemon=True
            )
            for rank in range(1, settings.workers)
        ]
        for other in others:
            other.start()
        try:
            with _process_group(0, settings.workers, rendezvous):
                loop.train(settings, corpus, Tokenizer.from_file(str(tokenizer_file)), folder, on_step)
        finally:
            for other in others:
                other.terminate()
                other.join()


def _run_worker(rank: int, settings: PretrainConfig, corpus: Corpus, tokenizer_file: Path, folder: Path, rendezvous: str) -> None:
    with _process_group(rank, settings.workers, rendezvous):
        loop.train(settings, corpus, Tokenizer.from_file(str(tokenizer_file)), folder)


@contextmanager
def _process_group(rank: int, workers: int, rendezvous: str) -> Iterator[None]:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if workers == 1:
        yield
        return
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}/workers", rank=rank, world_size=workers)
    try:
        yield
    finally:
        dist.destroy_process_group()

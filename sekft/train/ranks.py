"""The process group of a training in several processes; a rank ends when the process that started it ends."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch.multiprocessing import _prctl_pr_set_pdeathsig  # type: ignore[attr-defined]


@contextmanager
def process_group(rendezvous: str | None, device: str) -> Iterator[None]:
    """Join the other ranks, and leave them at the end. rendezvous: a file that all ranks see; None for a single process. device: torch's
    name of the type."""
    if rendezvous is None:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _prctl_pr_set_pdeathsig(signal.SIGINT)
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if device == "cuda":
        torch.cuda.set_device(rank)
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{rendezvous}", rank=rank, world_size=ranks)
    try:
        yield
    finally:
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for all ranks; nothing in a single process."""
    if dist.is_initialized():
        dist.barrier()


def is_first() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0

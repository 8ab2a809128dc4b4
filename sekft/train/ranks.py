"""One of several processes that train one adapter: it meets the others, and goes when the one that started them goes."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch.multiprocessing import _prctl_pr_set_pdeathsig  # type: ignore[attr-defined]


@contextmanager
def joined(meeting: str | None, device: str) -> Iterator[None]:
    """meeting: a file that all processes of the training see; None: there is one process. device: its type, as torch names it."""
    if meeting is None:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _prctl_pr_set_pdeathsig(signal.SIGINT)
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if device == "cuda":
        torch.cuda.set_device(rank)
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=ranks)
    try:
        yield
    finally:
        dist.destroy_process_group()


def all_here() -> None:
    """Waits for the others, if there are any."""
    if dist.is_initialized():
        dist.barrier()


def first() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0

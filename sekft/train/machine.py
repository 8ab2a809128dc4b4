"""What this machine offers a training: free memory, and how fast it multiplies."""

import time

import psutil
import torch

from sekft.model.base import compute_dtype


def free_bytes(device: torch.device) -> int:
    """What nobody uses, and on a GPU what torch holds without using it."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def matmul_flops(device: torch.device) -> float:
    """FLOP/s of large matrix products in the compute type, the best of three: no training is faster than this."""
    size = 8192 if device.type == "cuda" else 512
    matrix = torch.randn(size, size, device=device, dtype=compute_dtype(device))  # ones would be multiplied faster than any training
    seconds = []
    for _ in range(4):  # the first one warms up
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds[1:])

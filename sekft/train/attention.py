"""Exact block-diagonal attention for packed rows, without the T x T mask that transformers would build for sdpa."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface

from sekft.errors import ModelError

NAME = "sekft_rows"
UNSUPPORTED = ("softcap", "s_aux", "position_bias")  # terms that some architectures add to the scores; the kernels here ignore them

try:  # torch 2.13 supports all of it, 2.11 lacks grouped heads; without the kernel, and off CUDA, each row is computed by itself
    from torch.nn.attention.varlen import varlen_attn

    KERNEL = {"scale", "window_size", "enable_gqa"} <= set(inspect.signature(varlen_attn).parameters)
except ImportError:
    KERNEL = False


def row_bounds(position_ids: torch.Tensor) -> dict[str, Any]:
    """Keyword arguments that transformers passes through to attention: cu_seq_lens_q, (rows + 1,) int32, and max_length_q.

    position_ids: (1, T), starting at 0 in every row.
    """
    positions = position_ids[0].cpu()
    starts = (positions == 0).nonzero().flatten()
    bounds = torch.cat([starts, torch.tensor([len(positions)])])
    longest = int(bounds.diff().max())
    return {"cu_seq_lens_q": bounds.to(position_ids.device, torch.int32), "max_length_q": longest}


@contextmanager
def by_rows(model: Any) -> Iterator[bool]:
    """Use attend() inside the block, for the backward pass too; yields False for an architecture that keeps its own attention."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    if inner.config._attn_implementation != "sdpa" or not inner._supports_attention_backend:
        yield False  # transformers then builds the block-diagonal mask from position_ids: slower, equally exact
        return
    inner.config._attn_implementation = NAME
    try:
        yield True
    finally:
        inner.config._attn_implementation = "sdpa"


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """query: (1, heads, T, d); key, value: (1, heads / groups, T, d) -> (1, T, heads, d).

    Raises ModelError where rows would be mixed.
    """
    added = [name for name in UNSUPPORTED if others.get(name) is not None]
    if cu_seq_lens_q is None or max_length_q is None or added:
        problem = f"adds {added[0]} to its scores" if added else "passes no row bounds to its attention"
        raise ModelError(f"{type(module).__name__}: {problem}; allowed with it: trainer.tokens_per_batch=0")
    window = sliding_window if sliding_window and sliding_window < max_length_q else None
    if KERNEL and query.is_cuda and value.dtype in (torch.bfloat16, torch.float16) and not dropout:
        return _kernel(query, key, value, cu_seq_lens_q, max_length_q, scale=scaling, window_size=(window - 1 if window else -1, 0)), None
    bounds = cu_seq_lens_q.tolist()
    rows = [
        F.scaled_dot_product_attention(
            query[:, :, start:end],
            key[:, :, start:end],
            value[:, :, start:end],
            **_mask(end - start, window, query.device),
            dropout_p=dropout,
            scale=scaling,
            enable_gqa=key.shape[1] != query.shape[1],
        )
        for start, end in zip(bounds, bounds[1:], strict=False)
    ]
    return torch.cat(rows, dim=2).transpose(1, 2).contiguous(), None


def _kernel(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor, longest: int, **options: Any
) -> torch.Tensor:
    """torch's kernel. It takes one type, and autocast leaves query and key in float32 after the rotation; it takes tokens first."""
    q, k, v = (states[0].transpose(0, 1).to(value.dtype).contiguous() for states in (query, key, value))
    output: Any = varlen_attn(q, k, v, bounds, bounds, longest, longest, enable_gqa=k.shape[1] != q.shape[1], **options)
    return output[None]


def _mask(length: int, window: int | None, device: torch.device) -> dict[str, Any]:
    if window is None or length <= window:
        return {"is_causal": True}
    ones = torch.ones(length, length, dtype=torch.bool, device=device)
    return {"attn_mask": ones.tril().triu(1 - window)}


AttentionInterface.register(NAME, attend)

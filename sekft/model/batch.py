"""A batch of conversations of different lengths with a key-value cache: only new tokens go through the model.

All rows end at the same column, so that one step writes one column for all; columns without a token of the row are masked.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin


@dataclass(frozen=True)
class CachedContext:
    """The key-value cache of one conversation. ids: all tokens read; keys, values: one tensor (heads, len(ids), size) per layer."""

    ids: tuple[int, ...] = ()
    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()

    def common_prefix(self, prompt: Sequence[int]) -> "CachedContext":
        """The part that the prompt begins with, without the prompt's last token: that must be read to get the next token's logits."""
        same = next((at for at, (a, b) in enumerate(zip(self.ids, prompt, strict=False)) if a != b), min(len(self.ids), len(prompt)))
        keep = min(same, len(prompt) - 1)
        if keep == len(self.ids):
            return self
        cut = [tuple(each[:, :keep] for each in layers) for layers in (self.keys, self.values)]
        return CachedContext(self.ids[:keep], *cut)


class LayerCache(CacheLayerMixin):
    """Keys and values of one layer, (rows, heads, capacity, size), allocated at once; the columns before `width` are written."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity, self.width = capacity, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, heads, _, size = key_states.shape
        self.keys = key_states.new_zeros((rows, heads, self.capacity, size))
        self.values = value_states.new_zeros((rows, heads, self.capacity, value_states.shape[-1]))
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        start, self.width = self.width, self.width + key_states.shape[-2]
        self.keys[:, :, start : self.width] = key_states
        self.values[:, :, start : self.width] = value_states
        return self.keys[:, :, : self.width], self.values[:, :, : self.width]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.width + query_length, 0

    def get_seq_length(self) -> int:
        return self.width

    def get_max_length(self) -> int:
        return self.capacity


class Batch:
    """Conversations that are continued together, one a row.

    more: number of columns that may still be added. adapters: assigns the rows their adapters; entered here, left by close().
    """

    def __init__(
        self, model: PreTrainedModel, contexts: Sequence[CachedContext], more: int, adapters: contextlib.AbstractContextManager[None]
    ) -> None:
        self._adapters = contextlib.ExitStack()
        self._adapters.enter_context(adapters)
        config, self._model = model.config.get_text_config(), model
        self._windows = _windows(config)
        self.width = max(len(context.ids) for context in contexts)
        self._ids = [list(context.ids) for context in contexts]
        self._layers = [LayerCache(self.width + more) for _ in range(config.num_hidden_layers)]
        self._device = next(model.parameters()).device
        self._real = torch.zeros((len(contexts), self.width + more), dtype=torch.bool, device=self._device)
        self._positions = torch.zeros_like(self._real, dtype=torch.long)
        for row, context in enumerate(contexts):
            if context.ids:
                columns = slice(self.width - len(context.ids), self.width)
                self._real[row, columns] = True
                self._positions[row, columns] = torch.arange(len(context.ids), device=self._device)
                self._fill(row, context, len(contexts))

    def _fill(self, row: int, context: CachedContext, rows: int) -> None:
        for layer, keys, values in zip(self._layers, context.keys, context.values, strict=True):
            if not layer.is_initialized:
                layer.lazy_initialization(keys.expand(rows, *keys.shape), values.expand(rows, *values.shape))
            assert layer.keys is not None and layer.values is not None
            layer.width = self.width
            layer.keys[row, :, self.width - keys.shape[1] : self.width] = keys
            layer.values[row, :, self.width - values.shape[1] : self.width] = values

    def close(self) -> None:
        self._adapters.close()

    @torch.no_grad()
    def forward(self, new: Sequence[Sequence[int]]) -> Tensor:
        """Read the new ids of each row, at least one; return the logits (rows, V) float32 after them."""
        longest = max(map(len, new))
        padded = torch.tensor([[0] * (longest - len(ids)) + list(ids) for ids in new], device=self._device)
        start, self.width = self.width, self.width + longest
        pads = torch.tensor([longest - len(ids) for ids in new], device=self._device)[:, None]
        column = torch.arange(longest, device=self._device)
        before = torch.tensor([len(ids) for ids in self._ids], device=self._device)[:, None]
        self._real[:, start : self.width] = column >= pads
        self._positions[:, start : self.width] = positions = (before + column - pads).clamp(min=0)
        for row, ids in enumerate(new):
            self._ids[row] += ids
        for layer in self._layers:
            layer.width = start
        masks = {kind: self._mask(start, window) for kind, window in self._windows.items()}
        out = self._model(
            input_ids=padded,
            attention_mask=masks if len(masks) > 1 else masks.popitem()[1],
            position_ids=positions,
            past_key_values=Cache(layers=[*self._layers]),
            use_cache=True,
            # not 1: the last column as a slice is not contiguous, and a CPU then copies the output layer's weights for every row
            # (half the time of reading 8 prompts of 300 tokens with a vocabulary of 49,152)
            logits_to_keep=column[-1:],
        )
        return out.logits[:, -1].float()

    def _mask(self, start: int, window: int | None) -> Tensor:
        """The additive attention mask of the columns from start on: (rows, 1, new columns, all columns), 0 where attention is allowed.

        It is made of numbers because every layer would convert a boolean mask again. transformers uses a finished mask as it is, without
        adding the model's own window, so the window is applied here.
        """
        mask = self._real[:, None, None, : self.width]
        if window is not None:
            positions = self._positions[:, None, : self.width]
            mask = mask & (positions[:, :, None, :] > positions[:, :, start:, None] - window)
        if self.width - start > 1:
            column = torch.arange(self.width, device=self._device)
            causal = column[None, :] <= column[start:, None]
            itself = column[None, :] == column[start:, None]  # padding attends to itself: the softmax of a fully masked row is NaN
            mask = (mask & causal) | itself
        dtype = self._model.dtype
        return torch.zeros(mask.shape, dtype=dtype, device=self._device).masked_fill_(~mask, torch.finfo(dtype).min)

    def context(self, row: int) -> CachedContext:
        """A copy of the row's cache, without its padding."""
        real = self._real[row, : self.width]
        columns = slice(int(real.int().argmax()), self.width) if bool(real[real.int().argmax() :].all()) else real
        kept = [tuple(self._written(layer, row, name)[:, columns].clone() for layer in self._layers) for name in ("keys", "values")]
        return CachedContext(tuple(self._ids[row]), *kept)

    def _written(self, layer: LayerCache, row: int, name: str) -> Tensor:
        tensor: Tensor = getattr(layer, name)
        return tensor[row, :, : self.width]


def can_cache(model: PreTrainedModel) -> bool:
    """Whether Batch can run the model: its only state is keys and values, and every layer attends to all of them or to a window."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    unsupported = ("attention_chunk_size", "num_kv_shared_layers", "is_encoder_decoder")
    plain = not model._is_stateful and not any(getattr(config, name, None) for name in unsupported)
    return plain and kinds <= {"full_attention", "sliding_attention"}


def _windows(config: PreTrainedConfig) -> dict[str, int | None]:
    """Layer type -> number of columns that it attends to, the present one included; None: all."""
    window = config.sliding_window if getattr(config, "use_sliding_window", True) and hasattr(config, "sliding_window") else None
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    return {kind: window if kind == "sliding_attention" else None for kind in sorted(set(kinds))}

"""Episodes of different lengths in one batch: what each has read is kept, only what is new goes through the model.

Rows end at the same column, so each step writes one column for all; columns that are no token of a row are masked.
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
class Past:
    """What the model keeps of one episode. ids: all that was read; keys, values: one (heads, len(ids), size) per layer."""

    ids: tuple[int, ...] = ()
    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()

    def before(self, prompt: Sequence[int]) -> "Past":
        """As much of it as begins the prompt, but not all of the prompt: the last token must be read to go on."""
        same = next((at for at, (a, b) in enumerate(zip(self.ids, prompt, strict=False)) if a != b), min(len(self.ids), len(prompt)))
        keep = min(same, len(prompt) - 1)
        if keep == len(self.ids):
            return self
        cut = [tuple(each[:, :keep] for each in layers) for layers in (self.keys, self.values)]
        return Past(self.ids[:keep], *cut)


class Columns(CacheLayerMixin):
    """Keys and values of one layer, (rows, heads, room, size); the columns before `width` are written."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.width = room, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, heads, _, size = key_states.shape
        self.keys = key_states.new_zeros((rows, heads, self.room, size))
        self.values = value_states.new_zeros((rows, heads, self.room, value_states.shape[-1]))
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
        return self.room


class Batch:
    """Rows that are read on together. more: columns that may still be added; adapters: of the rows, entered until close()."""

    def __init__(self, model: PreTrainedModel, pasts: Sequence[Past], more: int, adapters: contextlib.AbstractContextManager[None]) -> None:
        self._adapters = contextlib.ExitStack()
        self._adapters.enter_context(adapters)
        config, self._model = model.config.get_text_config(), model
        self._windows = _windows(config)
        self.width = max(len(past.ids) for past in pasts)
        self._ids = [list(past.ids) for past in pasts]
        self._layers = [Columns(self.width + more) for _ in range(config.num_hidden_layers)]
        self._device = next(model.parameters()).device
        self._real = torch.zeros((len(pasts), self.width + more), dtype=torch.bool, device=self._device)
        self._places = torch.zeros_like(self._real, dtype=torch.long)  # of every column in its row
        for row, past in enumerate(pasts):
            if past.ids:
                columns = slice(self.width - len(past.ids), self.width)
                self._real[row, columns] = True
                self._places[row, columns] = torch.arange(len(past.ids), device=self._device)
                self._fill(row, past, len(pasts))

    def _fill(self, row: int, past: Past, rows: int) -> None:
        for layer, keys, values in zip(self._layers, past.keys, past.values, strict=True):
            if not layer.is_initialized:
                layer.lazy_initialization(keys.expand(rows, *keys.shape), values.expand(rows, *values.shape))
            assert layer.keys is not None and layer.values is not None
            layer.width = self.width
            layer.keys[row, :, self.width - keys.shape[1] : self.width] = keys
            layer.values[row, :, self.width - values.shape[1] : self.width] = values

    def close(self) -> None:
        self._adapters.close()

    @torch.no_grad()
    def read(self, new: Sequence[Sequence[int]]) -> Tensor:
        """Logits (rows, V) float32 after the new ids of each row, at least one."""
        longest = max(map(len, new))
        padded = torch.tensor([[0] * (longest - len(ids)) + list(ids) for ids in new], device=self._device)
        start, self.width = self.width, self.width + longest
        pads = torch.tensor([longest - len(ids) for ids in new], device=self._device)[:, None]
        column = torch.arange(longest, device=self._device)
        before = torch.tensor([len(ids) for ids in self._ids], device=self._device)[:, None]
        self._real[:, start : self.width] = column >= pads
        self._places[:, start : self.width] = positions = (before + column - pads).clamp(min=0)
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
            logits_to_keep=1,
        )
        return out.logits[:, -1].float()

    def _mask(self, start: int, window: int | None) -> Tensor:
        """What is added to the scores of the columns from start on: (rows, 1, new columns, all columns), 0 where they may look.

        As numbers, once: every layer would make them of a mask of booleans anew. A finished mask is taken as it is, without the
        model's own window.
        """
        mask = self._real[:, None, None, : self.width]
        if window is not None:
            places = self._places[:, None, : self.width]
            mask = mask & (places[:, :, None, :] > places[:, :, start:, None] - window)
        if self.width - start > 1:
            column = torch.arange(self.width, device=self._device)
            past = column[None, :] <= column[start:, None]
            alone = column[None, :] == column[start:, None]  # a pad reads itself: a row of nothing but masked is no number
            mask = (mask & past) | alone
        dtype = self._model.dtype
        return torch.zeros(mask.shape, dtype=dtype, device=self._device).masked_fill_(~mask, torch.finfo(dtype).min)

    def past(self, row: int) -> Past:
        """A copy of the row, without its holes."""
        real = self._real[row, : self.width]
        columns = slice(int(real.int().argmax()), self.width) if bool(real[real.int().argmax() :].all()) else real
        kept = [tuple(self._of(layer, row, name)[:, columns].clone() for layer in self._layers) for name in ("keys", "values")]
        return Past(tuple(self._ids[row]), *kept)

    def _of(self, layer: Columns, row: int, name: str) -> Tensor:
        tensor: Tensor = getattr(layer, name)
        return tensor[row, :, : self.width]


def keeps_columns(model: PreTrainedModel) -> bool:
    """Whether keys and values of every layer are all that the model keeps, and every layer looks at all of them or at a window."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    other = ("attention_chunk_size", "num_kv_shared_layers", "is_encoder_decoder")
    plain = not model._is_stateful and not any(getattr(config, name, None) for name in other)
    return plain and kinds <= {"full_attention", "sliding_attention"}


def _windows(config: PreTrainedConfig) -> dict[str, int | None]:
    """Of every kind of layer: how many columns it looks back, itself included; None: all."""
    window = config.sliding_window if getattr(config, "use_sliding_window", True) and hasattr(config, "sliding_window") else None
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"]
    return {kind: window if kind == "sliding_attention" else None for kind in sorted(set(kinds))}

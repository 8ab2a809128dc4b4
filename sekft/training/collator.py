"""Rows to one padded batch: pads are marked by position, never by id, and never learned."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from sekft.errors import MaskError


class AssistantOnlyCollator:
    """list of {input_ids (T,), weight (T,)} -> input_ids, attention_mask, weight, each (B, T max).

    The weights say what is learned, so the stop token counts although it is the pad token too.
    Raises MaskError for a batch in which nothing is.
    """

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)
        ids = torch.full((len(rows), longest), self.pad_id, dtype=torch.long)
        attention = torch.zeros((len(rows), longest), dtype=torch.long)
        weight = torch.zeros((len(rows), longest), dtype=torch.float32)
        for at, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[at, :length] = torch.tensor(row["input_ids"])
            attention[at, :length] = 1
            weight[at, :length] = torch.tensor(row["weight"])
        if not bool((weight[:, 1:] > 0).any()):
            raise MaskError("a batch in which nothing is learned")
        return {"input_ids": ids, "attention_mask": attention, "weight": weight}

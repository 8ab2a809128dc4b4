"""Rows to the tensors of one forward pass: joined end to end, or padded side by side."""

from collections.abc import Sequence

import torch

from sekft.data.sample import Row

Batch = dict[str, torch.Tensor]


def step(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of one optimizer step, as they are: how they are laid out is decided when they are trained on."""
    return {"rows": list(rows)}


def packed(rows: Sequence[Row]) -> Batch:
    """input_ids, position_ids, weight: (1, T). Positions start anew with every row; no attention_mask, so that no row sees another.

    The first token of a row is never learned: what stands before it belongs to someone else.
    """
    return {
        "input_ids": torch.tensor([[token for row in rows for token in row.ids]]),
        "position_ids": torch.tensor([[at for row in rows for at in range(len(row.ids))]]),
        "weight": torch.tensor([[weight for row in rows for weight in (0.0, *row.weight[1:])]]),
    }


def padded(rows: Sequence[Row], pad_id: int) -> Batch:
    """input_ids, attention_mask, weight: (B, T). Pads are marked by position, never by id: the stop token may be the pad too."""
    longest = max(len(row.ids) for row in rows)
    short = [longest - len(row.ids) for row in rows]
    return {
        "input_ids": torch.tensor([[*row.ids, *[pad_id] * pads] for row, pads in zip(rows, short, strict=True)]),
        "attention_mask": torch.tensor([[1] * len(row.ids) + [0] * pads for row, pads in zip(rows, short, strict=True)]),
        "weight": torch.tensor([[0.0, *row.weight[1:], *[0.0] * pads] for row, pads in zip(rows, short, strict=True)]),
    }


def learned(rows: Sequence[Row]) -> float:
    """The sum of weights that enters the loss."""
    return sum(sum(row.weight[1:]) for row in rows)

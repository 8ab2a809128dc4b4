"""From rows to the tensors of one forward pass: packed end to end, or padded side by side."""

from collections.abc import Sequence

import torch

from sekft.data.sample import Row

Batch = dict[str, torch.Tensor]


def step(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of one optimizer step, unchanged; the trainer lays them out in forward passes."""
    return {"rows": list(rows)}


def packed(rows: Sequence[Row]) -> Batch:
    """input_ids, position_ids, weight: (1, T). Positions start at 0 in every row.

    There is no attention_mask; attention keeps to rows by the positions. The first token of a row is never learned, as the token before it
    belongs to another row.
    """
    return {
        "input_ids": torch.tensor([[token for row in rows for token in row.ids]]),
        "position_ids": torch.tensor([[at for row in rows for at in range(len(row.ids))]]),
        "weight": torch.tensor([[weight for row in rows for weight in (0.0, *row.weight[1:])]]),
    }


def padded(rows: Sequence[Row], pad_id: int) -> Batch:
    """input_ids, attention_mask, weight: (B, T). Padding is marked by position, not by id, as the stop token may be the pad token too."""
    longest = max(len(row.ids) for row in rows)
    short = [longest - len(row.ids) for row in rows]
    return {
        "input_ids": torch.tensor([[*row.ids, *[pad_id] * pads] for row, pads in zip(rows, short, strict=True)]),
        "attention_mask": torch.tensor([[1] * len(row.ids) + [0] * pads for row, pads in zip(rows, short, strict=True)]),
        "weight": torch.tensor([[0.0, *row.weight[1:], *[0.0] * pads] for row, pads in zip(rows, short, strict=True)]),
    }


def learned(rows: Sequence[Row]) -> float:
    """The sum of the weights in the loss."""
    return sum(sum(row.weight[1:]) for row in rows)

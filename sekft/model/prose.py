"""The mean loss of models on ordinary English: a text that ships with sekft and is unrelated to shells."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import log
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from sekft.model.base import Base
from sekft.model.lora import loaded
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.tracking.files import sha256

NAME = "prose"
FILE = Path(__file__).with_name(f"{NAME}.txt")  # passages, a blank line between them; plain ASCII, so that any tokenizer reads it


@dataclass(frozen=True)
class ProseLoss:
    """Losses in nats per predicted token, comparable only between models with the same tokenizer.

    losses: by agent. unigram: the loss of the unigram model of this text, for comparison.
    """

    tokens: int
    unigram: float
    losses: dict[str, float]

    def summary(self) -> dict[str, Any]:
        return {"sha256": digest(), "tokens": self.tokens, "unigram": self.unigram, "nats_per_token": self.losses}


@cache
def digest() -> str:
    return sha256(FILE)


def passages(tokenizer: ChatTokenizer) -> list[list[int]]:
    """The ids of each passage as plain text, without a chat template; each begins with the BOS token if the tokenizer has one."""
    begin = [] if tokenizer.bos is None else [tokenizer.bos]
    return [begin + tokenizer.encode(text)[0] for text in FILE.read_text(encoding="ascii").strip().split("\n\n")]


def measure(base: Base, folders: Mapping[str, Path]) -> ProseLoss:
    """Measure the base and what was trained on it, each in one forward pass in eval mode and in its own precision.

    folders: of adapters or full models, by name.
    """
    rows = passages(base.tokenizer)
    losses = {"base": mean_loss(base.model, rows, base.device)}
    for name, folder in folders.items():
        with loaded(base, folder) as tuned:
            losses[name] = mean_loss(tuned, rows, base.device)
    return ProseLoss(sum(len(row) - 1 for row in rows), unigram_entropy(rows), losses)


def unigram_entropy(rows: list[list[int]]) -> float:
    """The entropy of the predicted tokens in nats per token."""
    counts = Counter(token for row in rows for token in row[1:]).values()
    return -sum(count * log(count / sum(counts)) for count in counts) / sum(counts)


@torch.no_grad()
def mean_loss(model: Any, rows: list[list[int]], device: torch.device) -> float:
    """The mean loss in nats over all tokens but the first of each row. model: in eval mode."""
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=device)
    real = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
    keep = F.pad(real[:, 1:], (0, 1)) > 0  # positions that are followed by a token
    logits = model(input_ids=ids, attention_mask=real, use_cache=False).logits[keep].float()
    return float(F.cross_entropy(logits, F.pad(ids[:, 1:], (0, 1))[keep]))

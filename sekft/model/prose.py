"""How well a model still reads ordinary English: its mean loss on a text that ships with sekft and has nothing to do with shells."""

import hashlib
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

NAME = "prose"
FILE = Path(__file__).with_name(f"{NAME}.txt")  # passages, a blank line between them; plain ASCII, so that any tokenizer reads it


@dataclass(frozen=True)
class Read:
    """losses: by agent, nats per predicted token; comparable for one tokenizer only. unigram: of a reader
    who knows no more than how often each token is in it."""

    tokens: int
    unigram: float
    losses: dict[str, float]

    def summary(self) -> dict[str, Any]:
        return {"sha256": digest(), "tokens": self.tokens, "unigram": self.unigram, "nats_per_token": self.losses}


@cache
def digest() -> str:
    return hashlib.sha256(FILE.read_bytes()).hexdigest()


def passages(tokenizer: ChatTokenizer) -> list[list[int]]:
    """Each passage by itself, as plain text: the tokenizer's beginning of a text if it has one, no template."""
    begin = [] if tokenizer.bos is None else [tokenizer.bos]
    return [begin + tokenizer.encode(text)[0] for text in FILE.read_text(encoding="ascii").strip().split("\n\n")]


def read(base: Base, folders: Mapping[str, Path]) -> Read:
    """The base, and what was trained on it by name, each in one forward pass in eval mode, in the precision they live in."""
    rows = passages(base.tokenizer)
    losses = {"base": loss(base.model, rows, base.device)}
    for name, folder in folders.items():
        with loaded(base, folder) as tuned:
            losses[name] = loss(tuned, rows, base.device)
    return Read(sum(len(row) - 1 for row in rows), unigram(rows), losses)


def unigram(rows: list[list[int]]) -> float:
    """Entropy of the tokens that are predicted, in nats a token."""
    counts = Counter(token for row in rows for token in row[1:]).values()
    return -sum(count * log(count / sum(counts)) for count in counts) / sum(counts)


@torch.no_grad()
def loss(model: Any, rows: list[list[int]], device: torch.device) -> float:
    """Mean over all tokens but the first of each row; nats. model: in eval mode."""
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=device)
    real = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
    keep = F.pad(real[:, 1:], (0, 1)) > 0  # places a next token follows
    logits = model(input_ids=ids, attention_mask=real, use_cache=False).logits[keep].float()
    return float(F.cross_entropy(logits, F.pad(ids[:, 1:], (0, 1))[keep]))

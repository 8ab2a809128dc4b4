"""Conversations as rows of tokens: which step learns from which is a matter of arithmetic, so any step can be made anew."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from sekft.pretrain.corpus.talk import Talk
from sekft.pretrain.tokenizer import BOS, CLOSE, EOS, OPEN


@dataclass(frozen=True)
class Tokens:
    """One conversation. replies: which tokens are the base's own, the stop token among them; wanted: (start, end) of the
    replies that were asked for."""

    ids: tuple[int, ...]
    replies: tuple[bool, ...]
    wanted: tuple[tuple[int, int], ...]


def tokens(talk: Talk, tokenizer: Tokenizer) -> Tokens:
    """As the chat template renders it: <s>[INST]...[/INST]reply</s>[INST]..."""
    ids, replies, wanted = [BOS], [False], []
    for position, encoded in enumerate(tokenizer.encode_batch(list(talk.messages), add_special_tokens=False)):
        is_reply = position % 2 == 1
        turn = [*encoded.ids, EOS] if is_reply else [OPEN, *encoded.ids, CLOSE]
        if position in talk.wanted:
            wanted.append((len(ids), len(ids) + len(turn)))
        ids += turn
        replies += [is_reply] * len(turn)
    return Tokens(tuple(ids), tuple(replies), tuple(wanted))


def pack(conversations: Sequence[Tokens], rows: int, length: int, user_weight: float) -> tuple[Tensor, Tensor]:
    """(ids (rows, length) int64, weights (rows, length) float32): whole conversations, longest first, each in the first row
    that has room; what finds none is left out. A reply's token weighs 1, another user_weight, <s> and padding nothing."""
    ids, weights = torch.full((rows, length), EOS), torch.zeros(rows, length)
    filled = [0] * rows
    for one in sorted(conversations, key=lambda one: -len(one.ids)):
        row = next((row for row in range(rows) if filled[row] + len(one.ids) <= length), None)
        if row is None:
            continue
        start, end = filled[row], filled[row] + len(one.ids)
        ids[row, start:end] = torch.tensor(one.ids)
        weights[row, start + 1 : end] = torch.tensor([1.0 if reply else user_weight for reply in one.replies[1:]])
        filled[row] = end
    return ids, weights

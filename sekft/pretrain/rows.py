"""Conversations as rows of tokens with loss weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from sekft.pretrain.corpus.scene import Conversation
from sekft.pretrain.tokenizer import BOS, CLOSE, EOS, OPEN


@dataclass(frozen=True)
class Tokens:
    """One conversation of T tokens. in_reply: (T,) whether the token belongs to a reply, stop tokens included. requested: (start, end) of
    each requested reply."""

    ids: tuple[int, ...]
    in_reply: tuple[bool, ...]
    requested: tuple[tuple[int, int], ...]


def encode(conversation: Conversation, tokenizer: Tokenizer) -> Tokens:
    """The ids as the chat template renders the conversation: <s>[INST]...[/INST]reply</s>[INST]..."""
    ids, in_reply, requested = [BOS], [False], []
    for position, encoded in enumerate(tokenizer.encode_batch(list(conversation.messages), add_special_tokens=False)):
        is_reply = position % 2 == 1
        turn = [*encoded.ids, EOS] if is_reply else [OPEN, *encoded.ids, CLOSE]
        if position in conversation.requested:
            requested.append((len(ids), len(ids) + len(turn)))
        ids += turn
        in_reply += [is_reply] * len(turn)
    return Tokens(tuple(ids), tuple(in_reply), tuple(requested))


def pack(conversations: Sequence[Tokens], rows: int, length: int, user_weight: float) -> tuple[Tensor, Tensor]:
    """Pack whole conversations into rows: the longest first, each into the first row with room; those without room are left out.

    Returns ids (rows, length) int64 and weights (rows, length) float32: 1 for a token of a reply, user_weight for other tokens, 0 for <s>
    and padding.
    """
    ids, weights = torch.full((rows, length), EOS), torch.zeros(rows, length)
    filled = [0] * rows
    for tokens in sorted(conversations, key=lambda tokens: -len(tokens.ids)):
        row = next((row for row in range(rows) if filled[row] + len(tokens.ids) <= length), None)
        if row is None:
            continue
        start, end = filled[row], filled[row] + len(tokens.ids)
        ids[row, start:end] = torch.tensor(tokens.ids)
        weights[row, start + 1 : end] = torch.tensor([1.0 if is_reply else user_weight for is_reply in tokens.in_reply[1:]])
        filled[row] = end
    return ids, weights

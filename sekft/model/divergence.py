"""How much a hint in its context changes what a model makes of its own turn: where it would have helped is where to teach."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sekft.errors import RenderError
from sekft.model.base import Base
from sekft.rendering.messages import Message
from sekft.rendering.render import TokenKind, render_all


def divergence(base: Base, model: Any, context: Sequence[Message], hint: str, own: str) -> float:
    """KL(with the hint || without it) of the next token, summed over the tokens of the own turn, its stop token included; nats.

    The hint stands before everything else, as a system turn would. Not the difference of the turn's log-probability: that is near
    zero where a hint moves weight between other tokens. Raises RenderError for a turn the contract refuses.
    """
    turn, without = _read(base, model, context, own)
    same, hinted = _read(base, model, [Message(role="system", content=hint), *context], own)
    if turn != same:
        raise RenderError("the hint changes the tokens of the turn itself")
    return float((hinted.exp() * (hinted - without)).sum())


@torch.no_grad()
def _read(base: Base, model: Any, context: Sequence[Message], own: str) -> tuple[list[int], Tensor]:
    """The turn's ids, and the log-probabilities (len(ids), V) of what comes at each of them. model: in eval mode."""
    rendered = render_all([*context, Message(role="assistant", content=own)], base.tokenizer)[-1]
    last = len(rendered.messages) - 1
    at = [
        place
        for place, (turn, kind) in enumerate(zip(rendered.turns, rendered.kinds, strict=True))
        if turn == last and kind is not TokenKind.context
    ]
    ids = torch.tensor([rendered.ids[: at[-1] + 1]], device=base.device)
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=len(at) + 1).logits[0, :-1]
    return [rendered.ids[place] for place in at], logits.float().log_softmax(-1)

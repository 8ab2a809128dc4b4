"""How much a hint changes the model's prediction of its own turn: where the divergence is large, a correction teaches most."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sekft.errors import RenderError
from sekft.model.base import Base
from sekft.rendering.messages import Message
from sekft.rendering.render import TokenKind, of_last_turn, render_all


def divergence(base: Base, model: Any, context: Sequence[Message], hint: str, own: str) -> float:
    """KL(with the hint || without it) of the next token, in nats, summed over the tokens of the model's own turn and its stop token.

    The hint is rendered as a system turn before the context. The difference of the turn's log-probability is not used: it is near zero
    where a hint moves probability between other tokens. model: in eval mode. Raises RenderError for a turn that cannot be rendered.
    """
    turn, plain = _turn_log_probabilities(base, model, context, own)
    same, hinted = _turn_log_probabilities(base, model, [Message(role="system", content=hint), *context], own)
    if turn != same:
        raise RenderError("the hint changes the tokens of the turn itself")
    return float((hinted.exp() * (hinted - plain)).sum())


@torch.no_grad()
def _turn_log_probabilities(base: Base, model: Any, context: Sequence[Message], own: str) -> tuple[list[int], Tensor]:
    """The ids of the turn, and the log-probabilities (len(ids), V) of the next token before each of them."""
    renderings = render_all([*context, Message(role="assistant", content=own)], base.tokenizer)
    rendered = of_last_turn(renderings)
    if rendered is None:
        raise RenderError(renderings[0].lost[-1].reason, renderings[0].lost[-1].fault)
    last = len(rendered.messages) - 1
    positions = [
        position
        for position, (turn, kind) in enumerate(zip(rendered.turns, rendered.kinds, strict=True))
        if turn == last and kind is not TokenKind.context
    ]
    ids = torch.tensor([rendered.ids[: positions[-1] + 1]], device=base.device)
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=len(positions) + 1).logits[0, :-1]
    return [rendered.ids[position] for position in positions], logits.float().log_softmax(-1)

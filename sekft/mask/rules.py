"""The mask rules: which tokens of a rendered conversation are learned, as one weight per token."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sekft.config import MaskConfig, MaskRule
from sekft.errors import MaskError
from sekft.rendering.render import Rendered, TokenKind

Weight = NDArray[np.float32]


def weigh(rendered: Rendered, mask: MaskConfig) -> Weight:
    """The weight of every token, (T,) float32; 0: not learned. Raises MaskError if the rule breaks the render contract."""
    weight = _weights(rendered, mask).astype(np.float32)
    _require_sound(rendered, weight, mask.rule)
    return weight


def applies(rendered: Rendered, mask: MaskConfig) -> bool:
    """Whether the rule learns any token of this rendering.

    It does not for: turns that the record keeps from being learned; terminal_only and an episode without a terminal; succeeded and an
    unrolled decision that failed; continuation and a whole episode.
    """
    return bool((_weights(rendered, mask) > 0).any())


def is_terminal(text: str) -> bool:
    """Whether a typed text leaves the session: its first word is exit or panic."""
    return text.split()[:1] in (["exit"], ["panic"])


def _weights(rendered: Rendered, mask: MaskConfig) -> Weight:
    """The weights of the rule, 0 in the turns that the record keeps from being learned."""
    weight = RULES[mask.rule](rendered, mask)
    return weight * ~np.isin(rendered.turns, list(rendered.unlearned)) if rendered.unlearned else weight


def _assistant(rendered: Rendered, mask: MaskConfig) -> Weight:
    return (~rendered.is_context).astype(np.float32)


def _of_turns(rendered: Rendered, chosen: Callable[[int], bool]) -> Weight:
    """The assistant tokens of the turns whose index is chosen."""
    wanted = [turn for turn in range(len(rendered.messages)) if chosen(turn)]
    return _assistant(rendered, MaskConfig()) * np.isin(np.array(rendered.turns), wanted)


def _final(rendered: Rendered, mask: MaskConfig) -> Weight:
    return _of_turns(rendered, lambda turn: turn == len(rendered.messages) - 1 and rendered.following == 0)


def _terminal_only(rendered: Rendered, mask: MaskConfig) -> Weight:
    return _of_turns(rendered, lambda turn: is_terminal(rendered.messages[turn].content))


def _terminal_weighted(rendered: Rendered, mask: MaskConfig) -> Weight:
    return _assistant(rendered, mask) + (mask.terminal_weight - 1) * _terminal_only(rendered, mask)


def _succeeded(rendered: Rendered, mask: MaskConfig) -> Weight:
    return _of_turns(rendered, lambda turn: turn not in rendered.failed)


def _continuation(rendered: Rendered, mask: MaskConfig) -> Weight:
    return _of_turns(rendered, lambda turn: rendered.decision and turn == len(rendered.messages) - 1)


def _everything(rendered: Rendered, mask: MaskConfig) -> Weight:
    return (np.arange(len(rendered.ids)) > 0).astype(np.float32)


RULES: dict[MaskRule, Callable[[Rendered, MaskConfig], Weight]] = {
    MaskRule.assistant: _assistant,
    MaskRule.final: _final,
    MaskRule.terminal_only: _terminal_only,
    MaskRule.terminal_weighted: _terminal_weighted,
    MaskRule.succeeded: _succeeded,
    MaskRule.continuation: _continuation,
    MaskRule.everything: _everything,
}


def _require_sound(rendered: Rendered, weight: Weight, rule: MaskRule) -> None:
    """Raise MaskError if nothing is learned, an environment token is, or a learned turn lacks its stop token."""
    learned, context = weight > 0, rendered.is_context
    if rule is not MaskRule.everything and learned[context].any():
        raise MaskError(f"mask={rule.value}: {int(learned[context].sum())} environment tokens are learned; allowed: 0")
    if not learned.any():
        raise MaskError(f"mask={rule.value}: nothing is learned; allowed: one token or more")
    learned_turns = np.array(rendered.turns)[learned & ~context]
    for at, kind in enumerate(rendered.kinds):
        if kind is TokenKind.stop and not learned[at] and rendered.turns[at] in learned_turns:
            raise MaskError(f"mask={rule.value}: the stop token of turn {rendered.turns[at]} is not learned, but its text is")

"""Which tokens are learned: a rule turns a rendered conversation into one weight per token."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sekft.config import MaskRule
from sekft.errors import MaskError
from sekft.rendering.render import Kind, Rendered

Weight = NDArray[np.float32]


def weigh(rendered: Rendered, rule: MaskRule) -> Weight:
    """weight: (T,) float32, 0 where nothing is learned. Raises MaskError if the rule breaks the render contract."""
    weight = RULES[rule](rendered).astype(np.float32)
    _require_sound(rendered, weight, rule)
    return weight


def applies(rendered: Rendered, rule: MaskRule) -> bool:
    """False for an unrolled decision of which the rule learns nothing: `final` is about the last one only."""
    return rule is not MaskRule.final or rendered.following == 0


def _assistant(rendered: Rendered) -> NDArray[np.bool_]:
    return np.array(rendered.kinds) != Kind.context


def _final(rendered: Rendered) -> NDArray[np.bool_]:
    return _assistant(rendered) & (np.array(rendered.turns) == len(rendered.messages) - 1)


def _everything(rendered: Rendered) -> NDArray[np.bool_]:
    return np.arange(len(rendered.ids)) > 0


RULES: dict[MaskRule, Callable[[Rendered], NDArray[np.bool_]]] = {
    MaskRule.assistant: _assistant,
    MaskRule.final: _final,
    MaskRule.everything: _everything,
}


def _require_sound(rendered: Rendered, weight: Weight, rule: MaskRule) -> None:
    """Something is learned, the ending's stop token with it, and never a token of the environment."""
    kinds = np.array(rendered.kinds)
    learned = weight > 0
    if rule is not MaskRule.everything and learned[kinds == Kind.context].any():
        raise MaskError(f"mask {rule.value}: {int(learned[kinds == Kind.context].sum())} environment tokens are learned; allowed: 0")
    if not learned.any():
        raise MaskError(f"mask {rule.value}: nothing is learned")
    turns = np.array(rendered.turns)
    for turn in np.unique(turns[learned & (kinds != Kind.context)]):
        if not learned[(turns == turn) & (kinds == Kind.stop)].all():
            raise MaskError(f"mask {rule.value}: the stop token of turn {turn} is not learned")

"""The tokens of a rendered row with text, weight and kind, for display and for counts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sekft.mask.rules import Weight, is_terminal
from sekft.rendering.render import Rendered, TokenKind


@dataclass(frozen=True)
class Token:
    """One token of a row; the texts of all its tokens joined are the rendered text."""

    id: int
    text: str
    turn: int
    weight: float
    kind: str  # context if it is not learned, else command, terminal, stop or environment


def count_learned(rendered: Rendered, weight: Weight) -> dict[str, int]:
    """The number of learned tokens of each kind, in the order in which the kinds first occur."""
    kinds = zip(_learned_kinds(rendered), weight.tolist(), strict=True)
    return dict(Counter(kind for kind, learned in kinds if learned))


def tokens(rendered: Rendered, weight: Weight) -> Iterator[Token]:
    """The tokens in order. Characters that several tokens share (bytes of one character) go to the first of them."""
    at = 0
    kinds = _learned_kinds(rendered)
    for index, (start, end) in enumerate(rendered.offsets):
        learned = float(weight[index])
        last = index == len(rendered.offsets) - 1
        reach = len(rendered.text) if last else max(at, end)
        yield Token(rendered.ids[index], rendered.text[at:reach], rendered.turns[index], learned, kinds[index] if learned else "context")
        at = max(at, reach, start)


def _learned_kinds(rendered: Rendered) -> list[str]:
    """The kind of every token if it is learned."""
    typed = ["terminal" if is_terminal(message.content) else "command" for message in rendered.messages]
    names = {TokenKind.context: "environment", TokenKind.stop: "stop"}
    return [names.get(kind) or typed[turn] for turn, kind in zip(rendered.turns, rendered.kinds, strict=True)]

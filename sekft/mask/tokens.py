"""A rendered row as a person or a count sees it: every token with its text, its weight, and what it is."""

from collections.abc import Iterator
from dataclasses import dataclass

from sekft.mask.rules import Weight, is_terminal
from sekft.rendering.render import Rendered, TokenKind


@dataclass(frozen=True)
class Token:
    """kind: context where nothing is learned, else command, terminal, stop or environment."""

    id: int
    text: str  # its characters in the rendered text; together they are that text
    turn: int
    weight: float
    kind: str


def count_learned(rendered: Rendered, weight: Weight) -> dict[str, int]:
    """How many tokens of each kind are learned; what `tokens` says of them, without their texts."""
    terminal = [is_terminal(message.content) for message in rendered.messages]
    counts: dict[str, int] = {}
    for turn, kind, learned in zip(rendered.turns, rendered.kinds, weight.tolist(), strict=True):
        if learned:
            name = (
                "stop"
                if kind is TokenKind.stop
                else "environment"
                if kind is TokenKind.context
                else "terminal"
                if terminal[turn]
                else "command"
            )
            counts[name] = counts.get(name, 0) + 1
    return counts


def tokens(rendered: Rendered, weight: Weight) -> Iterator[Token]:
    """In order. Characters that several tokens share (bytes of one character) go to the first of them."""
    terminal = [is_terminal(message.content) for message in rendered.messages]
    at = 0
    for index, (start, end) in enumerate(rendered.offsets):
        turn, learned = rendered.turns[index], float(weight[index])
        typed = "terminal" if terminal[turn] else "command"
        kind = (
            {TokenKind.context: "environment", TokenKind.stop: "stop", TokenKind.typed: typed}[rendered.kinds[index]]
            if learned
            else "context"
        )
        last = index == len(rendered.offsets) - 1
        reach = len(rendered.text) if last else max(at, end)
        yield Token(rendered.ids[index], rendered.text[at:reach], turn, learned, kind)
        at = max(at, reach, start)

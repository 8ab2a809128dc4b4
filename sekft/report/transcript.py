"""An episode as it looked in the terminal, in pieces that a page can draw, and the turn at which two episodes part."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from sekft.episode.trajectory import Trajectory
from sekft.rendering.messages import Message


@dataclass(frozen=True)
class Piece:
    """kind: typed | shown | cut."""

    kind: str
    text: str


def pieces(messages: Sequence[Message]) -> list[Piece]:
    """The screen of these messages; typed text ends its line."""
    return [
        Piece("typed", message.content.removesuffix("\n") + "\n") if message.role == "assistant" else Piece("shown", message.content)
        for message in messages
    ]


def parting(first: Trajectory, second: Trajectory) -> int:
    """The number of messages that both episodes begin with."""
    pairs = zip(first.messages, second.messages, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(first.messages), len(second.messages)))


def shortened(screen: Sequence[Piece], max_bytes: int) -> tuple[list[Piece], int]:
    """The screen with at most max_bytes of text on a page, and the number of characters left out.

    Text is left out of the middle, where a piece of kind `cut` stands instead.
    """
    if sum(_cost(piece.text) for piece in screen) <= max_bytes:
        return list(screen), 0
    head, tail = _head(screen, max_bytes // 2), _reversed(_head(_reversed(screen), max_bytes // 2))
    cut = sum(len(piece.text) for piece in screen) - sum(len(piece.text) for piece in (*head, *tail))
    return [*head, Piece("cut", f"\n[{cut} characters left out of this page]\n"), *tail], cut


def _head(screen: Sequence[Piece], max_bytes: int) -> list[Piece]:
    """The beginning of the screen, as much of it as costs max_bytes."""
    kept: list[Piece] = []
    for piece in screen:
        if (cost := _cost(piece.text)) > max_bytes:
            return [*kept, Piece(piece.kind, piece.text[: _fitting_length(piece.text, max_bytes)])]
        kept.append(piece)
        max_bytes -= cost
    return kept


def _reversed(screen: Sequence[Piece]) -> list[Piece]:
    """The pieces in reverse order, each with its characters in reverse order."""
    return [Piece(piece.kind, piece.text[::-1]) for piece in reversed(screen)]


def _fitting_length(text: str, max_bytes: int) -> int:
    """The number of leading characters that cost at most max_bytes."""
    costs = accumulate(map(_cost, text))
    return sum(1 for _ in takewhile(lambda total: total <= max_bytes, costs))


def _cost(text: str) -> int:
    """An upper bound of the bytes that the text takes as escaped UTF-8."""
    return len(text.encode("utf-8", "replace")) + 4 * sum(map(text.count, "<>&'\""))

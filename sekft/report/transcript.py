"""An episode as it looked in the terminal, as pieces a page can draw: what was shown, what was typed, where two episodes part."""

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
    """The screen of these turns; what was typed ends its line."""
    return [
        Piece("typed", message.content.removesuffix("\n") + "\n") if message.role == "assistant" else Piece("shown", message.content)
        for message in messages
    ]


def parting(one: Trajectory, other: Trajectory) -> int:
    """How many turns both episodes begin with."""
    both = zip(one.messages, other.messages, strict=False)
    return next((at for at, (left, right) in enumerate(both) if left != right), min(len(one.messages), len(other.messages)))


def shortened(screen: Sequence[Piece], most_bytes: int) -> tuple[list[Piece], int]:
    """At most most_bytes as a page writes them, cut out of the middle, where the cut is said; and how many characters that was."""
    if sum(_cost(piece.text) for piece in screen) <= most_bytes:
        return list(screen), 0
    head, tail = _head(screen, most_bytes // 2), _turned(_head(_turned(screen), most_bytes // 2))
    cut = sum(len(piece.text) for piece in screen) - sum(len(piece.text) for piece in (*head, *tail))
    return [*head, Piece("cut", f"\n[{cut} characters left out of this page]\n"), *tail], cut


def _head(screen: Sequence[Piece], most_bytes: int) -> list[Piece]:
    kept: list[Piece] = []
    for piece in screen:
        if (cost := _cost(piece.text)) > most_bytes:
            return [*kept, Piece(piece.kind, piece.text[: _fitting(piece.text, most_bytes)])]
        kept.append(piece)
        most_bytes -= cost
    return kept


def _turned(screen: Sequence[Piece]) -> list[Piece]:
    """Last character first."""
    return [Piece(piece.kind, piece.text[::-1]) for piece in reversed(screen)]


def _fitting(text: str, most_bytes: int) -> int:
    """How many characters of the text cost no more than that."""
    costs = accumulate(map(_cost, text))
    return sum(1 for _ in takewhile(lambda spent: spent <= most_bytes, costs))


def _cost(text: str) -> int:
    """Bytes as escaped UTF-8, at most."""
    return len(text.encode("utf-8", "replace")) + 4 * sum(map(text.count, "<>&'\""))

"""The text of a reply while its tokens come: decoded after its prompt, cut at stop strings, told once it is settled. No torch."""

from collections.abc import Sequence

from sekft.rendering.tokenizer import ChatTokenizer

UNFINISHED = "\ufffd"  # how a decoder writes half a character


def text_of(prompt: Sequence[int], reply: Sequence[int], tokenizer: ChatTokenizer) -> str:
    """What was typed: decoded after its prompt, since a token's text depends on what stands before it."""
    return _raw(prompt, reply, tokenizer).removeprefix(tokenizer.separator)


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string in it, and whether there was one."""
    ends = [at for at in (text.find(one) for one in stop) if at >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


class Unfolding:
    """One reply as it comes, token by token, in pieces that join to its final text."""

    def __init__(self, prompt: Sequence[int], tokenizer: ChatTokenizer, stop: Sequence[str]) -> None:
        self._anchor = list(prompt[-1:])
        self._tokenizer = tokenizer
        self._stop = stop
        self._told = 0  # characters

    def piece(self, reply: Sequence[int]) -> tuple[str, bool]:
        """What is new and settled, and whether a stop string has come. reply: all of its ids so far."""
        raw = _raw(self._anchor, reply, self._tokenizer)
        text, stopped = cut(raw.removeprefix(self._tokenizer.separator), self._stop)
        if stopped or not self._settled(raw, reply):
            return "", stopped
        return self._new(text[: len(text) - _half_a_stop(text, self._stop)]), False

    def rest(self, reply: Sequence[int]) -> tuple[str, str, bool]:
        """The last piece, the whole text, and whether a stop string ended it."""
        text, stopped = cut(text_of(self._anchor, reply, self._tokenizer), self._stop)
        return self._new(text), text, stopped

    def _new(self, text: str) -> str:
        piece = text[self._told :]
        self._told += len(piece)
        return piece

    def _settled(self, raw: str, reply: Sequence[int]) -> bool:
        """Whether no further token can change this text: no half character, no run of single bytes, no half separator."""
        half_separator = self._tokenizer.separator.startswith(raw) and raw != self._tokenizer.separator
        return not (half_separator or raw.endswith(UNFINISHED) or self._tokenizer.is_byte(reply[-1]))


def _raw(prompt: Sequence[int], reply: Sequence[int], tokenizer: ChatTokenizer) -> str:
    typed = [token for token in reply if token not in tokenizer.control]
    anchor = list(prompt[-1:])
    return tokenizer.decode([*anchor, *typed], skip_control=False)[len(tokenizer.decode(anchor, skip_control=False)) :]


def _half_a_stop(text: str, stop: Sequence[str]) -> int:
    """How many characters at the end may be the beginning of a stop string."""
    return max((size for one in stop for size in range(1, len(one)) if text.endswith(one[:size])), default=0)

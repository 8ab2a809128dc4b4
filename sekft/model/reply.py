"""The text of a reply, decoded while its tokens are generated: after its prompt, cut at stop strings. No torch."""

from collections.abc import Sequence

from sekft.rendering.tokenizer import ChatTokenizer

UNFINISHED = "\ufffd"  # what a decoder gives for an incomplete character


def decode_reply(prompt: Sequence[int], reply: Sequence[int], tokenizer: ChatTokenizer) -> str:
    """The text of the reply, decoded after its prompt: the text of a token depends on the token before it."""
    return tokenizer.read_reply(prompt[-1], reply)


def cut_at_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string in it, and whether it contains one."""
    ends = [at for at in (text.find(string) for string in stop) if at >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


class ReplyStream:
    """One reply as a stream of text pieces that join to its final text."""

    def __init__(self, prompt: Sequence[int], tokenizer: ChatTokenizer, stop: Sequence[str]) -> None:
        self._anchor = list(prompt[-1:])
        self._tokenizer = tokenizer
        self._stop = stop
        self._sent = 0  # characters

    def settled(self, reply: Sequence[int]) -> tuple[str, bool]:
        """The new text that no further token can change, and whether the text contains a stop string. reply: all of its ids so far."""
        raw = self._tokenizer.written(self._anchor[-1], reply)
        text, stopped = cut_at_stop(raw.removeprefix(self._tokenizer.separator), self._stop)
        if stopped or not self._is_settled(raw, reply):
            return "", stopped
        return self._unsent(text[: len(text) - _partial_stop(text, (*self._stop, f"{self._tokenizer.suffix} "))]), False

    def finish(self, reply: Sequence[int]) -> tuple[str, str, bool]:
        """The last piece, the whole text, and whether a stop string ended it."""
        text, stopped = cut_at_stop(decode_reply(self._anchor, reply, self._tokenizer), self._stop)
        return self._unsent(text), text, stopped

    def _unsent(self, text: str) -> str:
        piece = text[self._sent :]
        self._sent += len(piece)
        return piece

    def _is_settled(self, raw: str, reply: Sequence[int]) -> bool:
        """Whether no further token can change this text: it ends in no incomplete character, single-byte token or partial separator."""
        partial_separator = self._tokenizer.separator.startswith(raw) and raw != self._tokenizer.separator
        return not (partial_separator or raw.endswith(UNFINISHED) or self._tokenizer.is_byte(reply[-1]))


def _partial_stop(text: str, stop: Sequence[str]) -> int:
    """The number of characters at the end of the text that may be the beginning of a stop string; the whole string does not count."""
    return max((size for string in stop for size in range(1, len(string)) if text.endswith(string[:size])), default=0)

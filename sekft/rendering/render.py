"""The render contract: one conversation -> token ids, with the turn and the kind of every token.

Covers: serve prompt = training prefix, stop token of every assistant turn, exactly one BOS, control strings in content;
templates whose past depends on the future are unrolled to one rendering per decision.
Does not cover: templates whose served prompt begins no training text (a prompt that opens a think block), or that write control
tokens between the two (a channel); they are refused. An empty think block that only the past has (Qwen3) is left out: the reply is
what is typed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from sekft.errors import RenderError
from sekft.rendering.messages import Message, canonical
from sekft.rendering.tokenizer import ChatTokenizer

RENDER_VERSION = 1


class TokenKind(IntEnum):
    """What a token is to a mask."""

    context = 0  # the environment, and whatever the template writes around turns
    typed = 1  # the assistant's own text
    stop = 2  # the token that ends an assistant turn


KINDS = tuple(TokenKind)


@dataclass(frozen=True)
class Rendered:
    """One conversation as the model sees it. ids, turns, kinds: (T,); turns index into messages."""

    ids: tuple[int, ...]
    turns: tuple[int, ...]
    kinds: tuple[TokenKind, ...]
    messages: tuple[Message, ...]  # canonical and neutral
    text: str
    offsets: tuple[tuple[int, int], ...]
    unrolled: bool = False  # one decision of a conversation; else all of it
    following: int = 0  # turns of the conversation after these
    failed: frozenset[int] = frozenset()  # turns whose command failed, where that is known
    decision: bool = False  # of a decision point: the last turn is what was judged

    @cached_property
    def is_context(self) -> NDArray[np.bool_]:
        """(T,): whose kind is context."""
        return np.array(self.kinds) == TokenKind.context


@dataclass(frozen=True)
class Span:
    """Characters [start, end) of one assistant turn in the text, its stop token from `stop` on."""

    turn: int
    start: int
    stop: int
    end: int


def prepare(messages: Sequence[Message], tokenizer: ChatTokenizer) -> tuple[Message, ...]:
    """Canonical and free of control tokens: what both sides hand to the template."""
    neutral = [Message(role=message.role, content=tokenizer.neutralise(message.content)) for message in messages]
    return canonical(neutral)


def prompt_ids(messages: Sequence[Message], tokenizer: ChatTokenizer) -> list[int]:
    """What a server feeds the model before its next reply."""
    text = tokenizer.template.render(prepare(messages, tokenizer), add_generation_prompt=True)
    return tokenizer.encode(text)[0]


def render(messages: Sequence[Message], tokenizer: ChatTokenizer) -> Rendered:
    """One render of the whole conversation, every assistant turn located by the prompt a server would have fed.

    Raises RenderError, naming the turn, where training text and served text would differ.
    """
    turns = prepare(messages, tokenizer)
    text = tokenizer.template.render(turns)
    ids, offsets = tokenizer.encode(text)
    spans = [_span(turns, index, text, tokenizer) for index, turn in enumerate(turns) if turn.role == "assistant"]
    return _checked(turns, text, ids, offsets, spans, tokenizer)


def _checked(
    messages: tuple[Message, ...],
    text: str,
    ids: Sequence[int],
    offsets: Sequence[tuple[int, int]],
    spans: Sequence[Span],
    tokenizer: ChatTokenizer,
) -> Rendered:
    _require_one_bos(ids, tokenizer)
    walls = [at for at, token in enumerate(ids) if token in tokenizer.boundary_ids]
    before = [max((at for at in walls if offsets[at][1] <= span.start), default=0) for span in spans]
    texts = [text[offsets[at][0] if at else 0 : span.start] for at, span in zip(before, spans, strict=True)]
    alike = list(dict.fromkeys(texts))  # of many templates all that is left is the one token before every reply
    served = dict(zip(alike, tokenizer.encode_all(alike), strict=True))
    for span, at, own in zip(spans, before, texts, strict=True):
        _require_served_prefix(span, at, served[own], ids, offsets)
    token_turns, kinds = _label(offsets, spans)
    stops: dict[int, list[int]] = {span.turn: [] for span in spans}
    for token, turn, kind in zip(ids, token_turns, kinds, strict=True):
        if kind is TokenKind.stop:
            stops[turn].append(token)
    for span in spans:
        _require_stop(span, stops[span.turn], tokenizer)
    return Rendered(tuple(ids), tuple(token_turns), tuple(kinds), messages, text, tuple(offsets))


def render_all(messages: Sequence[Message], tokenizer: ChatTokenizer, failed: frozenset[int] = frozenset()) -> list[Rendered]:
    """The conversation as training rows: one, or one per decision where the template rewrites the past.

    failed: turns whose command failed; they are the same indices in canonical form only if roles alternate already.
    """
    if not is_position_dependent(tokenizer):
        return [replace(render(messages, tokenizer), failed=failed)]
    turns = prepare(messages, tokenizer)
    decisions = [index for index, turn in enumerate(turns) if turn.role == "assistant"]
    return [replace(render_decision(turns, index, tokenizer), failed=failed) for index in decisions]


@lru_cache(maxsize=8)
def is_position_dependent(tokenizer: ChatTokenizer) -> bool:
    """Whether earlier turns, or the room before a reply, look different once the reply is there; found on a probe."""
    turns = [Message(role="user", content="a"), Message(role="assistant", content="b")] * 3
    text = tokenizer.template.render(turns)
    prompts = [tokenizer.template.render(turns[:index], add_generation_prompt=True) for index in (1, 3, 5)]
    return not all(text.startswith(prompt + tokenizer.separator + "b") for prompt in prompts)


def render_decision(turns: Sequence[Message], index: int, tokenizer: ChatTokenizer) -> Rendered:
    """One decision as it is served: the prompt before turn `index`, what was typed, the stop token. turns: prepared."""
    prompt = tokenizer.template.render(turns[:index], add_generation_prompt=True)
    if not tokenizer.template.render(turns[: index + 1]).startswith(prompt):
        raise RenderError(f"turn {index}: the served prompt begins no training text of this template; this base is refused")
    if any(control in tokenizer.prefix for control in tokenizer.control.values()):
        raise RenderError(f"turn {index}: the template writes {tokenizer.prefix!r} before the assistant's text; this base is refused")
    typed = tokenizer.separator + turns[index].content
    text = prompt + typed + tokenizer.stop_text
    ids, offsets = tokenizer.encode(text)
    span = Span(index, len(prompt), len(prompt) + len(typed), len(text))
    rendered = _checked(tuple(turns[: index + 1]), text, ids, offsets, [span], tokenizer)
    return replace(rendered, unrolled=True, following=len(turns) - index - 1)


def _span(turns: Sequence[Message], index: int, text: str, tokenizer: ChatTokenizer) -> Span:
    prompt = tokenizer.template.render(turns[:index], add_generation_prompt=True)
    content = turns[index].content
    if not text.startswith(prompt):
        raise RenderError(f"turn {index}: the template writes the past differently once the future is known; this base is refused")
    start = len(prompt)
    stop = start + len(tokenizer.separator) + len(content)
    if text[start:stop] != tokenizer.separator + content:
        raise RenderError(f"turn {index}: the template changes the assistant's text {content[:40]!r}")
    end = next((stop + len(token) for token in tokenizer.control.values() if text.startswith(token, stop)), None)
    if end is None:
        raise RenderError(f"turn {index}: no control token closes the assistant's text; found {text[stop : stop + 20]!r}")
    return Span(index, start, stop, end)


def _require_one_bos(ids: Sequence[int], tokenizer: ChatTokenizer) -> None:
    if tokenizer.bos is None or tokenizer.bos == tokenizer.eos:
        return
    count = list(ids).count(tokenizer.bos)
    expected = 1 if "bos_token" in tokenizer.template.source or tokenizer.control[tokenizer.bos] in tokenizer.template.source else 0
    if count != expected or (count and ids[0] != tokenizer.bos):
        raise RenderError(f"{count} BOS tokens in the rendered text; allowed: {expected}, at the start")


def _require_served_prefix(span: Span, at: int, served: Sequence[int], ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> None:
    """The ids before the turn are the ids a server feeds; a token across the boundary breaks that.

    served: ids of the prompt's text from token `at` on. Text before a wall is split the same whatever follows.
    """
    end = at + len(served)
    if list(ids[at:end]) != served or (end < len(offsets) and offsets[end][1] <= span.start):
        raise RenderError(f"turn {span.turn}: the served prompt and the training text split into different tokens")


def _label(offsets: Sequence[tuple[int, int]], spans: Sequence[Span]) -> tuple[list[int], list[TokenKind]]:
    """Every token that overlaps a span belongs to it; the rest is context of the turn it leads to or follows."""
    if not spans or not offsets:
        return [0] * len(offsets), [TokenKind.context] * len(offsets)
    start, end = np.array(offsets).T
    starts, stops, ends, turns = np.array([(span.start, span.stop, span.end, span.turn) for span in spans]).T
    last = len(spans) - 1
    at = np.searchsorted(ends, start, side="right")  # the first span that ends behind the token's start; they stand in order
    near = np.minimum(at, last)
    inside = (at <= last) & (end > starts[near])
    following = np.searchsorted(starts, end, side="left")
    around = np.where(following <= last, turns[np.minimum(following, last)] - 1, turns[last])
    kinds = np.where(inside, np.where(start >= stops[near], TokenKind.stop, TokenKind.typed), TokenKind.context)
    return np.where(inside, turns[near], around).tolist(), [KINDS[kind] for kind in kinds.tolist()]


def _require_stop(span: Span, stops: list[int], tokenizer: ChatTokenizer) -> None:
    if len(stops) != 1 or stops[0] not in tokenizer.stop_ids:
        found = tokenizer.decode(stops, skip_control=False)
        allowed = tokenizer.decode(sorted(tokenizer.stop_ids), skip_control=False)
        raise RenderError(f"turn {span.turn}: closed by {found!r}; generation stops at {allowed!r}")

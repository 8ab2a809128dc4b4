"""The render contract: one conversation -> token ids, with the turn and the kind of every token.

Covers: the served prompt is a prefix of the training text; the stop token of every assistant turn; no doubled BOS; control
strings in content. Templates that render a past turn differently once later turns are known are unrolled to one rendering per decision.
Does not cover: templates whose served prompt is no prefix of any training text (a prompt that opens a think block), and templates that
write control tokens between prompt and reply (a channel). They are refused. An empty think block that a template writes into past
turns only (Qwen3) is left out, because no server generates it.
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
    """The role of a token, which the mask rules build on."""

    context = 0  # the environment's text, and what the template writes around turns
    typed = 1  # the assistant's text
    stop = 2  # the token that ends an assistant turn


KINDS = tuple(TokenKind)


@dataclass(frozen=True)
class Rendered:
    """A conversation, or one decision of it, as token ids with the turn and kind of each; T tokens."""

    ids: tuple[int, ...]  # (T,)
    turns: tuple[int, ...]  # (T,), indices into messages
    kinds: tuple[TokenKind, ...]  # (T,)
    messages: tuple[Message, ...]  # canonical, control tokens neutralised
    text: str
    offsets: tuple[tuple[int, int], ...]  # (T,) pairs [start, end) of characters in text
    unrolled: bool = False  # one decision of a conversation; else the whole conversation
    following: int = 0  # number of turns of the conversation after these
    failed: frozenset[int] = frozenset()  # indices of turns whose command failed, where that is known
    decision: bool = False  # a decision point: the last turn is the continuation to learn

    @cached_property
    def is_context(self) -> NDArray[np.bool_]:
        """(T,), True for tokens of kind context."""
        return np.array(self.kinds) == TokenKind.context


@dataclass(frozen=True)
class Span:
    """The characters of one assistant turn in the text: [start, stop) is what was typed, [stop, end) the stop token."""

    turn: int
    start: int
    stop: int
    end: int


def prepare(messages: Sequence[Message], tokenizer: ChatTokenizer) -> tuple[Message, ...]:
    """The messages as training and serving give them to the template: canonical, control tokens neutralised. Raises RenderError."""
    neutral = [Message(role=message.role, content=tokenizer.neutralise(message.content)) for message in messages]
    return canonical(neutral)


def prompt_ids(messages: Sequence[Message], tokenizer: ChatTokenizer) -> list[int]:
    """The ids a server feeds the model before its next reply. Raises RenderError."""
    text = tokenizer.template.render(prepare(messages, tokenizer), add_generation_prompt=True)
    return tokenizer.encode(text)[0]


def render(messages: Sequence[Message], tokenizer: ChatTokenizer) -> Rendered:
    """The whole conversation rendered once; each assistant turn starts where the prompt a server would have fed ends.

    Raises RenderError, naming the turn, if training text and served text would differ.
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
    # Text before a boundary token is split the same whatever follows, so each prompt is compared from its last boundary token on.
    boundaries = [at for at, token in enumerate(ids) if token in tokenizer.boundary_ids]
    before = [max((at for at in boundaries if offsets[at][1] <= span.start), default=0) for span in spans]
    tails = [text[offsets[at][0] if at else 0 : span.start] for at, span in zip(before, spans, strict=True)]
    distinct = list(dict.fromkeys(tails))  # with many templates the one token before every reply
    served = dict(zip(distinct, tokenizer.encode_all(distinct), strict=True))
    for span, at, tail in zip(spans, before, tails, strict=True):
        _require_served_prefix(span, at, served[tail], ids, offsets)
    token_turns, kinds = _label(offsets, spans)
    stops: dict[int, list[int]] = {span.turn: [] for span in spans}
    for token, turn, kind in zip(ids, token_turns, kinds, strict=True):
        if kind is TokenKind.stop:
            stops[turn].append(token)
    for span in spans:
        _require_stop(span, stops[span.turn], tokenizer)
    return Rendered(tuple(ids), tuple(token_turns), tuple(kinds), messages, text, tuple(offsets))


def render_all(messages: Sequence[Message], tokenizer: ChatTokenizer, failed: frozenset[int] = frozenset()) -> list[Rendered]:
    """The conversation as training rows: one, or one per decision if the template rewrites the past. Raises RenderError.

    failed: indices of turns whose command failed; valid in canonical form only if the roles alternate already.
    """
    if not is_position_dependent(tokenizer):
        return [replace(render(messages, tokenizer), failed=failed)]
    turns = prepare(messages, tokenizer)
    decisions = [index for index, turn in enumerate(turns) if turn.role == "assistant"]
    return [replace(render_decision(turns, index, tokenizer), failed=failed) for index in decisions]


@lru_cache(maxsize=8)
def is_position_dependent(tokenizer: ChatTokenizer) -> bool:
    """Whether the template renders a prompt differently once its reply is there; tested on a probe of three exchanges."""
    turns = [Message(role="user", content="a"), Message(role="assistant", content="b")] * 3
    text = tokenizer.template.render(turns)
    prompts = [tokenizer.template.render(turns[:index], add_generation_prompt=True) for index in (1, 3, 5)]
    return not all(text.startswith(prompt + tokenizer.separator + "b") for prompt in prompts)


def render_decision(turns: Sequence[Message], index: int, tokenizer: ChatTokenizer) -> Rendered:
    """One decision as it is served: the prompt before turn `index`, what was typed, the stop token. turns: from prepare().

    Raises RenderError if the template cannot serve the text it would train.
    """
    prompt = tokenizer.template.render(turns[:index], add_generation_prompt=True)
    if not tokenizer.template.render(turns[: index + 1]).startswith(prompt):
        raise RenderError(f"turn {index}: the served prompt is no prefix of the training text; this base is refused")
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
        raise RenderError(f"turn {index}: the template renders the past differently once later turns are known; this base is refused")
    start = len(prompt)
    stop = start + len(tokenizer.separator) + len(content)
    if text[start:stop] != tokenizer.separator + content:
        raise RenderError(f"turn {index}: the template changes the assistant's text {content[:40]!r}")
    end = next((stop + len(token) for token in tokenizer.control.values() if text.startswith(token, stop)), None)
    if end is None:
        raise RenderError(f"turn {index}: no control token closes the assistant's text; found {text[stop : stop + 20]!r}")
    return Span(index, start, stop, end)


def _require_one_bos(ids: Sequence[int], tokenizer: ChatTokenizer) -> None:
    """Raise RenderError if the text starts with two BOS. Elsewhere only the template writes one (as the first token of every turn)."""
    doubled = next((at for at, token in enumerate(ids) if token != tokenizer.bos), len(ids))
    if tokenizer.bos is not None and doubled > 1:
        raise RenderError(
            f"{doubled} BOS tokens at the start of the rendered text; allowed: at most 1; give model.template a file that writes it once"
        )


def _require_served_prefix(span: Span, at: int, served: Sequence[int], ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> None:
    """Raise RenderError unless the ids before the turn are those a server feeds; a token across the start of the turn breaks that.

    served: ids of the prompt's text from token `at` on.
    """
    end = at + len(served)
    if list(ids[at:end]) != served or (end < len(offsets) and offsets[end][1] <= span.start):
        raise RenderError(f"turn {span.turn}: the served prompt and the training text split into different tokens")


def _label(offsets: Sequence[tuple[int, int]], spans: Sequence[Span]) -> tuple[list[int], list[TokenKind]]:
    """(turn, kind) of every token: one that overlaps a span belongs to it, any other is context of the turn it leads to or follows."""
    if not spans or not offsets:
        return [0] * len(offsets), [TokenKind.context] * len(offsets)
    start, end = np.array(offsets).T
    starts, stops, ends, turns = np.array([(span.start, span.stop, span.end, span.turn) for span in spans]).T
    last = len(spans) - 1
    at = np.searchsorted(ends, start, side="right")  # the first span that ends behind the token's start
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

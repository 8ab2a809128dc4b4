"""The render contract: one conversation -> token ids, with the turn and the kind of every token.

Covers: the served prompt is a prefix of the training ids, and what follows it are the ids of the reply up to its stop token; no doubled
BOS; control strings in content. Where a template renders a past turn differently once later turns are known (Qwen3), every decision is a
row of its own: the ids of the served prompt, the ids of what was typed, the stop token. So is a single turn whose first characters would
merge with the end of the prompt. A turn that the template or the tokenizer changes is left as context, with the reason.
Does not cover: what is refused for every conversation; sekft.rendering.form judges that.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sekft.errors import Fault, RenderError
from sekft.rendering.form import Form
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
class LostTurn:
    """An assistant turn that is context only, and why."""

    index: int  # into messages
    fault: Fault
    reason: str


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
    unlearned: frozenset[int] = frozenset()  # indices of turns that no mask learns
    decision: bool = False  # a decision point: the last turn is the continuation to learn
    lost: tuple[LostTurn, ...] = ()  # turns of the conversation that no row learns

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

    Turns for which that does not hold are context, and named in `lost`. Raises RenderError if all are.
    """
    whole = _render_whole(prepare(messages, tokenizer), tokenizer)
    if TokenKind.stop not in whole.kinds:
        raise _nothing_left(whole.lost)
    return whole


def render_all(
    messages: Sequence[Message],
    tokenizer: ChatTokenizer,
    failed: frozenset[int] = frozenset(),
    unlearned: frozenset[int] = frozenset(),
) -> list[Rendered]:
    """The conversation as training rows: one for the whole, then one for each decision that is right only alone.

    failed: indices of turns whose command failed. unlearned: of turns that no mask learns. Both are valid in canonical form only if the
    roles alternate already. The first row names the turns that no row learns. Raises RenderError if no turn is left.
    """
    turns, rows, lost = prepare(messages, tokenizer), list[Rendered](), list[LostTurn]()
    alone = [index for index, turn in enumerate(turns) if turn.role == "assistant"]
    if tokenizer.form.is_whole:
        whole = _render_whole(turns, tokenizer)
        rows += [whole] * (TokenKind.stop in whole.kinds)
        alone = [turn.index for turn in whole.lost if turn.fault in (Fault.past, Fault.tokens)]
        lost += [turn for turn in whole.lost if turn.index not in alone]
    for index in alone:
        try:
            rows.append(render_decision(turns, index, tokenizer))
        except RenderError as error:
            if error.fault not in (Fault.unreadable, Fault.tokens):
                raise
            lost.append(LostTurn(index, error.fault, str(error)))
    if not rows:
        raise _nothing_left(lost)
    return [replace(row, failed=failed, unlearned=unlearned, lost=() if at else tuple(lost)) for at, row in enumerate(rows)]


def of_last_turn(renderings: Sequence[Rendered]) -> Rendered | None:
    """The rendering that learns the last turn of the conversation; None if none does."""
    return next((one for one in reversed(renderings) if not one.following and _learns_last(one)), None)


def render_decision(turns: Sequence[Message], index: int, tokenizer: ChatTokenizer) -> Rendered:
    """One decision as it is served: the prompt before turn `index`, what was typed, the stop token. turns: from prepare().

    Raises RenderError if no ids read back as what was typed.
    """
    form = tokenizer.form
    prompt = tokenizer.template.render(turns[:index], add_generation_prompt=True)
    typed = form.separator + turns[index].content + form.closing.suffix
    text = prompt + typed + form.closing.stop
    ids, offsets = tokenizer.encode(text)
    span = Span(index, len(prompt), len(prompt) + len(typed), len(text))
    [place] = _located([span], turns, text, ids, offsets, tokenizer)
    if place is Fault.tokens:  # the ids of the prompt, then those of the text behind it, as it is generated
        ids, offsets = tokenizer.encode(prompt)
        behind = tokenizer.ids_after(ids[-1], typed)
        if behind is None:
            raise RenderError(_REASONS[Fault.tokens], Fault.tokens)
        begin, stop = len(ids), len(ids) + len(behind[0])
        place = (begin, stop)
        ids = [*ids, *behind[0], tokenizer.token_id(form.closing.stop)]
        offsets = [*offsets, *((a + len(prompt), b + len(prompt)) for a, b in behind[1]), (span.stop, span.end)]
    if isinstance(place, Fault):
        raise RenderError(_REASONS[place], place)
    rendered = _labelled(tuple(turns[: index + 1]), text, ids, offsets, [(index, *place)])
    return replace(rendered, unrolled=True, following=len(turns) - index - 1)


_REASONS = {
    Fault.past: "the template renders the past differently once later turns are known",
    Fault.tokens: "what was typed merges with the end of the served prompt, and no ids behind it read back as what was typed",
    Fault.unreadable: "the tokenizer does not give back what was typed: blanks beside a control token, or characters that it replaces",
}


def _render_whole(turns: Sequence[Message], tokenizer: ChatTokenizer) -> Rendered:
    text = tokenizer.template.render(turns)
    spans, lost = list[Span](), list[LostTurn]()
    for index, turn in enumerate(turns):
        if turn.role == "assistant":
            prompt = tokenizer.template.render(turns[:index], add_generation_prompt=True)
            found = _span(turns, index, prompt, text, tokenizer)
            if isinstance(found, LostTurn):
                lost.append(found)
            else:
                spans.append(found)
                text = text if found.end <= len(text) else text[: found.start] + _reply(turn, tokenizer.form)
    ids, offsets = tokenizer.encode(text)
    places = list[tuple[int, int, int]]()
    for span, place in zip(spans, _located(spans, turns, text, ids, offsets, tokenizer), strict=True):
        if isinstance(place, Fault):
            lost.append(LostTurn(span.turn, place, _REASONS[place]))
        else:
            places.append((span.turn, *place))
    rendered = _labelled(tuple(turns), text, ids, offsets, places)
    return replace(rendered, lost=tuple(sorted(lost, key=lambda turn: turn.index)))


def _reply(turn: Message, form: Form) -> str:
    return form.separator + turn.content + form.closing.text


def _span(turns: Sequence[Message], index: int, prompt: str, text: str, tokenizer: ChatTokenizer) -> Span | LostTurn:
    """The characters of turn `index`; they end behind the text if that leaves the last turn open."""
    form, content = tokenizer.form, turns[index].content
    if not text.startswith(prompt):
        return LostTurn(index, Fault.past, _REASONS[Fault.past])
    start, stop = len(prompt), len(prompt) + len(form.separator) + len(content)
    if text[start:stop] == form.separator + content:
        closing = next((one for one in form.closings if text.startswith(one.text, stop)), None)
        if closing is None and index == len(turns) - 1 and form.closing.text.startswith(text[stop:]):
            closing = form.closing
        if closing is not None:
            return Span(index, start, stop + len(closing.suffix), stop + len(closing.text))
    how = ", of which it strips blanks or line ends at an end" if content != content.strip() else ""
    return LostTurn(index, Fault.changed, f"the template changes what was typed{how}")


def _located(
    spans: Sequence[Span],
    turns: Sequence[Message],
    text: str,
    ids: Sequence[int],
    offsets: Sequence[tuple[int, int]],
    tokenizer: ChatTokenizer,
) -> list[tuple[int, int] | Fault]:
    """For every span the indices of its first and of its stop token, or why the ids are not those that are served and generated."""
    # Text before a boundary token is split the same whatever follows, so each prompt is compared from its last boundary token on.
    boundaries = [at for at, token in enumerate(ids) if token in tokenizer.boundary_ids]
    before = [max((at for at in boundaries if offsets[at][1] <= span.start), default=0) for span in spans]
    tails = [text[offsets[at][0] if at else 0 : span.start] for at, span in zip(before, spans, strict=True)]
    distinct = list(dict.fromkeys(tails))  # with many templates the one token before every reply
    served = dict(zip(distinct, tokenizer.encode_all(distinct), strict=True))
    ends = [end for _, end in offsets]
    places = list[tuple[int, int] | Fault]()
    for span, at, tail in zip(spans, before, tails, strict=True):
        begin, stop = at + len(served[tail]), bisect_left(ends, span.end)
        if list(ids[at:begin]) != served[tail] or (begin < len(ids) and offsets[begin][1] <= span.start):
            places.append(Fault.tokens)  # a token reaches across the start of the turn
        elif ids[stop] in tokenizer.stop_ids and _reads_back(ids[begin - 1], ids[begin:stop], turns[span.turn], tokenizer):
            places.append((begin, stop))
        else:
            places.append(Fault.unreadable)
    return places


def _reads_back(before: int, ids: Sequence[int], turn: Message, tokenizer: ChatTokenizer) -> bool:
    """Whether the ids, generated behind the token `before`, are typed as the turn was."""
    found = tokenizer.text_after(before, tuple(ids))
    bare = turn.content + tokenizer.suffix
    return found in (tokenizer.separator + bare, bare, f" {bare}", turn.content)  # a blank: SentencePiece begins each text with one


def _labelled(
    messages: tuple[Message, ...],
    text: str,
    ids: Sequence[int],
    offsets: Sequence[tuple[int, int]],
    places: Sequence[tuple[int, int, int]],
) -> Rendered:
    """places: (turn, first token, stop token) of every turn that is learned; other tokens are context of the turn beside them."""
    turns = [0] * len(ids)
    kinds = [TokenKind.context] * len(ids)
    start = 0
    for turn, begin, stop in places:
        turns[start:begin] = [turn - 1] * (begin - start)
        turns[begin : stop + 1] = [turn] * (stop + 1 - begin)
        kinds[begin:stop] = [TokenKind.typed] * (stop - begin)
        kinds[stop] = TokenKind.stop
        start = stop + 1
    turns[start:] = [places[-1][0] if places else 0] * (len(ids) - start)
    return Rendered(tuple(ids), tuple(turns), tuple(kinds), messages, text, tuple(offsets))


def _learns_last(rendered: Rendered) -> bool:
    last = len(rendered.messages) - 1
    return any(turn == last and kind is TokenKind.stop for turn, kind in zip(rendered.turns, rendered.kinds, strict=True))


def _nothing_left(lost: Sequence[LostTurn]) -> RenderError:
    """The error for a conversation of which no turn is learned."""
    if not lost:
        return RenderError("messages: no assistant turn; allowed: one or more", Fault.messages)
    return RenderError(f"{lost[0].reason}, in all {len(lost)} assistant turns", lost[0].fault)

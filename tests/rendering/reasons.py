"""The reasons why our weights differ from a reference's: a line for the reader and a proof that nothing else differs."""

import unicodedata
from collections.abc import Callable, Sequence

from sekft.config import MaskConfig, MaskRule
from sekft.errors import Fault, RenderError
from sekft.mask.rules import weigh
from sekft.rendering.messages import Message, canonical
from sekft.rendering.render import render_all
from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.references import Reference, Row, Rows

REASONS = {
    "a": "Control strings in the text. Ours writes `< /s>` for `</s>`, in training and in serving; Mistral's encoder reads them as"
    " letters, transformers as control tokens (a forged end of turn). Equal once both get the neutralised text.",
    "b": "A system turn, or two turns of the environment in a row. Ours joins them to one user turn by a line end; every family has"
    " its own way. Equal once both get the canonical turns.",
    "c": "Blanks typed last. Mistral's encoder strips them, ours learns what was typed. Equal without these tokens.",
    "d": "An empty command. Mistral's encoder and its template both refuse it; ours drops the sample and counts it.",
    "e": "The template trims blanks and line ends around what was typed, so the past would show another text than was typed. Ours leaves"
    " such a turn as context and counts it; the reference learns the trimmed text. Equal once both get the trimmed text.",
    "f": "A line end typed first merges with the line end of the prompt into one token, so no server feeds the prompt before it. Ours"
    " learns this turn in a row of its own, with the ids that are generated behind the prompt. The learned texts are equal.",
    "l": "The tokenizer changes what was typed: it composes letters and marks (NFC), or reads U+2581 as a blank. Ours leaves such a turn as"
    " context and counts it. Equal once both get the text as the tokenizer changes it.",
    "g": "TRL's markers also learn the line end before the text, which the prompt already holds, or the one after the stop token, which"
    " is never generated (for Phi its `<|endoftext|>`, too). Equal without these tokens.",
    "h": "TRL's variant writes an empty think block into every past turn, which no server does. Ours trains one row per decision, each"
    " after exactly the served prompt. The learned texts are equal but for that block and line ends.",
    "?": "Not explained.",
}


def ours(messages: Sequence[Message], tokenizer: ChatTokenizer) -> Rows:
    """The rows that sekft trains on with mask=assistant, or why it drops the sample."""
    try:
        rows = [(one, weigh(one, MaskConfig(rule=MaskRule.assistant))) for one in render_all(messages, tokenizer)]
    except RenderError as error:
        return str(error)
    return [(list(rendered.ids), weight.astype(int).tolist()) for rendered, weight in rows]


def explain(mine: Rows, messages: Sequence[Message], tokenizer: ChatTokenizer, reference: Reference) -> str:
    """The letters of REASONS that explain the difference; empty if the weights are equal.

    The causes in the texts (e, l, then a, b) are removed one after the other; the rest is explained by one of LAST.
    """
    for letter, (fault, change) in CHANGES.items():
        put_right = [one if one.role != "assistant" else Message(role=one.role, content=change(one.content)) for one in messages]
        if put_right != messages and fault in _faults(messages, tokenizer) and mine == ours(messages, tokenizer):
            return letter + explain(ours(put_right, tokenizer), put_right, tokenizer, reference)
    given, theirs, found = list(messages), reference(messages), ""
    neutral = [Message(role=message.role, content=tokenizer.neutralise(message.content)) for message in messages]
    for letter, put_right in {"a": neutral, "b": list(canonical(neutral))}.items():
        if mine != theirs and not isinstance(mine, str) and put_right != given:
            given, before, theirs = put_right, theirs, reference(put_right)
            found += letter * (theirs != before)
    if mine == theirs:
        return found
    return found + next((letter for letter, holds in LAST.items() if holds(mine, theirs, messages, tokenizer)), "?")


CHANGES: dict[str, tuple[Fault, Callable[[str], str]]] = {
    "e": (Fault.changed, str.strip),
    "l": (Fault.unreadable, lambda text: unicodedata.normalize("NFC", text).replace("\u2581", " ")),
}


def _faults(messages: Sequence[Message], tokenizer: ChatTokenizer) -> set[Fault]:
    """The faults of the turns that ours does not learn."""
    try:
        return {turn.fault for turn in render_all(messages, tokenizer)[0].lost}
    except RenderError as error:
        return {error.fault}


def _stripped(mine: Rows, theirs: Rows, messages: Sequence[Message], tokenizer: ChatTokenizer) -> bool:
    if isinstance(mine, str) or isinstance(theirs, str):
        return False
    return [_without_last_blanks(row, tokenizer) for row in mine] == theirs and any(m.content.endswith(" ") for m in _typed(messages))


def _without_last_blanks(row: Row, tokenizer: ChatTokenizer) -> Row:
    """The row without learned tokens of blanks directly before a stop token."""
    out: list[tuple[int, int]] = []
    for index, learned in zip(*row, strict=True):
        while learned and index in tokenizer.stop_ids and out[-1][1] and not tokenizer.decode([out[-1][0]]).strip(" "):
            out.pop()
        out.append((index, learned))
    return [index for index, _ in out], [learned for _, learned in out]


def _empty(mine: Rows, theirs: Rows, messages: Sequence[Message], tokenizer: ChatTokenizer) -> bool:
    return isinstance(mine, str) and isinstance(theirs, str) and not all(message.content for message in _typed(messages))


def _straddling(mine: Rows, theirs: Rows, messages: Sequence[Message], tokenizer: ChatTokenizer) -> bool:
    if isinstance(mine, str) or isinstance(theirs, str) or len(mine) == len(theirs):
        return False

    def texts(rows: Sequence[Row]) -> list[str]:
        learned = [[index for index, learned in zip(*row, strict=True) if learned] for row in rows]
        stop = tokenizer.form.closing.stop
        return sorted("".join(text.split()) for row in learned for text in tokenizer.decode(row, skip_control=False).split(stop)[:-1])

    return texts(mine) == texts(theirs) and any(message.content[:1] == "\n" for message in _typed(messages))


def _learned_beside(mine: Rows, theirs: Rows, messages: Sequence[Message], tokenizer: ChatTokenizer) -> bool:
    if isinstance(mine, str) or isinstance(theirs, str) or [ids for ids, _ in mine] != [ids for ids, _ in theirs]:
        return False
    pairs = [triple for one, other in zip(mine, theirs, strict=True) for triple in zip(*one, other[1], strict=True)]
    more = {tokenizer.decode([index]) for index, our, their in pairs if their > our}
    return _stopped(mine, messages, tokenizer) and all(their >= our for _, our, their in pairs) and not "".join(more).strip()


def _thoughts(mine: Rows, theirs: Rows, messages: Sequence[Message], tokenizer: ChatTokenizer) -> bool:
    if isinstance(mine, str) or isinstance(theirs, str) or not tokenizer.form.prefix or not _stopped(mine, messages, tokenizer):
        return False

    def learned(rows: Sequence[Row]) -> str:
        texts = [tokenizer.decode([index for index, learned in zip(*row, strict=True) if learned]) for row in rows]
        return "".join("".join(texts).split())

    return learned(theirs).replace("".join(tokenizer.form.prefix.split()), "") == learned(mine)


def _stopped(mine: Sequence[Row], messages: Sequence[Message], tokenizer: ChatTokenizer) -> bool:
    """Whether every typed text is learned up to its stop token; if not, ours learns too little."""
    ends = [ids[at] for ids, learned in mine for at in range(len(ids)) if learned[at] and not any(learned[at + 1 : at + 2])]
    return len(ends) == len(_typed(messages)) and set(ends) <= tokenizer.stop_ids


def _typed(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if message.role == "assistant"]


LAST: dict[str, Callable[[Rows, Rows, Sequence[Message], ChatTokenizer], bool]] = {
    "c": _stripped, "d": _empty, "f": _straddling, "g": _learned_beside, "h": _thoughts,
}  # fmt: skip

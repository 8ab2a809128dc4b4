"""A sample is a conversation to learn from; a row is it as tokens with weights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sekft.config import DataConfig, MaskConfig, Overlong
from sekft.data.accounting import Counts
from sekft.data.overlong import shorten
from sekft.errors import DataError, RenderError
from sekft.mask.rules import applies, weigh
from sekft.mask.tokens import count_learned
from sekft.rendering.messages import Message
from sekft.rendering.render import Rendered, render_all
from sekft.rendering.tokenizer import ChatTokenizer


@dataclass(frozen=True)
class Sample:
    id: str
    group: str  # scenario id: rows of one scenario never lie on both sides of a split
    source: str
    messages: tuple[Message, ...]
    failed: frozenset[int] = frozenset()  # turns whose command failed
    decision: bool = False  # only the last turn was judged worth learning; the others are how it came about
    is_chat: bool = False  # a conversation and no episode: nobody leaves it
    archetype: str = ""  # what it is about, where that is known
    time: float | None = None  # seconds since 1970, where that is known


@dataclass(frozen=True)
class Row:
    """What is trained on. ids, weight: (T,); kinds: how many tokens of each kind are learned."""

    id: str
    ids: tuple[int, ...]
    weight: tuple[float, ...]
    kinds: tuple[tuple[str, int], ...] = ()


def decision_sample(id: str, group: str, source: str, context: Sequence[Message], continuation: str) -> Sample:
    """One decision: what stood before it, and what should have been typed there. mask=continuation learns that and its stop token.

    Raises DataError for a context after which it is not the assistant's turn.
    """
    if not context or context[-1].role != "user":
        found = f"a turn of the {context[-1].role}" if context else "nothing"
        raise DataError(f"{id}: the context ends in {found}; allowed: what the environment said last")
    return Sample(id, group, source, (*context, Message(role="assistant", content=continuation)), decision=True)


def make_rows(
    samples: Iterable[Sample], tokenizer: ChatTokenizer, mask: MaskConfig, data: DataConfig, max_tokens: int
) -> tuple[list[Row], Counts]:
    """Render, weigh and bound every sample. A sample the contract refuses is dropped and counted by reason.

    Raises MaskError for a rule that breaks the contract. See accounting.require_enough for what may be lost.
    """
    out: list[Row] = []
    counts = Counts()
    for sample in samples:
        renderings = render_fitting(sample, tokenizer, data.overlong, max_tokens, counts)
        learning = [(rendered, weigh(rendered, mask)) for rendered in renderings if applies(rendered, mask)]
        if renderings and not learning:
            counts.drop(f"nothing is learned by mask={mask.rule.value}", sample.id)
        ends = False
        for rendered, weight in learning:
            learned = count_learned(rendered, weight)
            counts.add(len(rendered.ids), learned)
            ends |= "terminal" in learned
            out.append(Row(_row_id(sample, rendered), rendered.ids, tuple(weight.tolist()), tuple(learned.items())))
        counts.samples += bool(learning)
        if learning and not ends and not (sample.decision or sample.is_chat):
            counts.miss_ending(sample.id)
    return out, counts


def _row_id(sample: Sample, rendered: Rendered) -> str:
    return f"{sample.id}/{len(rendered.messages) - 1}" if rendered.following else sample.id


def render_fitting(sample: Sample, tokenizer: ChatTokenizer, overlong: Overlong, max_tokens: int, counts: Counts) -> list[Rendered]:
    """The sample's renderings that are no longer than max_tokens; the others are cut or dropped, and counted."""
    try:
        renderings = render_all(sample.messages, tokenizer, sample.failed)
        if sample.decision:
            renderings = [replace(renderings[-1], decision=True)]
        policy = Overlong.keep_last if sample.decision else overlong  # what was judged, and the landing, stay
        cut = [shorten(rendered, tokenizer, policy, max_tokens) for rendered in renderings]
    except RenderError as error:
        counts.drop(str(error).partition(": ")[2] or str(error), sample.id)
        return []
    for before, after in zip(renderings, cut, strict=True):
        counts.cut(len(before.messages) - len(after.messages))
    fitting = [rendered for rendered in cut if len(rendered.ids) <= max_tokens]
    if len(fitting) < len(cut):
        counts.drop(f"longer than trainer.max_tokens={max_tokens}", sample.id, len(cut) - len(fitting))
    return fitting

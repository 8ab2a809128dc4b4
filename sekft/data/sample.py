"""Samples (conversations to learn from) and rows (samples as token ids with weights)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sekft.config import DataConfig, MaskConfig, Overlong
from sekft.data.accounting import Counts
from sekft.data.overlong import shorten
from sekft.errors import DataError, Fault, RenderError
from sekft.mask.rules import applies, weigh
from sekft.mask.tokens import count_learned
from sekft.rendering.messages import Message
from sekft.rendering.render import Rendered, of_last_turn, render_all
from sekft.rendering.tokenizer import ChatTokenizer

LATEST_S = 253402300800  # the year 10000, which no calendar of Python holds


@dataclass(frozen=True)
class Sample:
    """One conversation of a source."""

    id: str
    group: str  # id of its scenario or conversation: the split never separates samples of one group
    source: str  # name of the source
    messages: tuple[Message, ...]
    failed: frozenset[int] = frozenset()  # indices of turns whose command failed
    unlearned: frozenset[int] = frozenset()  # indices of assistant turns that the record keeps from being learned: they are context
    decision: bool = False  # a decision point: the last turn is the continuation to learn, the others are its context
    is_chat: bool = False  # not an episode: no exit or panic is expected
    archetype: str = ""  # of its scenario or task, where that is known
    time: float | None = None  # seconds since 1970, where that is known
    key: str = ""  # a digest of the content, for a conversation without an id of its own

    @property
    def split_key(self) -> str:
        """What the split hashes: the content, or the group without the name of the source, which decides nothing."""
        return self.key or self.group.removeprefix(f"{self.source}/")

    @property
    def share_key(self) -> str:
        """What data.sources.NAME.share hashes: the content, or the id without the name of the source."""
        return self.key or self.id.removeprefix(f"{self.source}/")


@dataclass(frozen=True)
class Row:
    """One training row of T tokens."""

    id: str
    ids: tuple[int, ...]  # (T,)
    weight: tuple[float, ...]  # (T,), 0: not learned
    kinds: tuple[tuple[str, int], ...] = ()  # number of learned tokens by kind


def as_time(value: object) -> float | None:
    """A time in seconds since 1970 as records hold it; None for what is no time of a calendar."""
    return float(value) if isinstance(value, int | float) and 0 <= value < LATEST_S else None


def seconds(time: datetime) -> float | None:
    """A time as seconds since 1970; None for one before that, which may have none."""
    return as_time(time.timestamp()) if time.year > 1970 else None


def decision_sample(id: str, group: str, source: str, context: Sequence[Message], continuation: str) -> Sample:
    """A decision point as a sample: the context, and the continuation that should have been typed, learned by mask=continuation.

    Raises DataError unless the context ends with a user turn.
    """
    if not context or context[-1].role != "user":
        found = f"a turn of the {context[-1].role}" if context else "nothing"
        raise DataError(f"{id}: the context ends in {found}; allowed: a turn of the environment")
    return Sample(id, group, source, (*context, Message(role="assistant", content=continuation)), decision=True)


def make_rows(
    samples: Iterable[Sample], tokenizer: ChatTokenizer, mask: MaskConfig, data: DataConfig, max_tokens: int
) -> tuple[list[Row], Counts]:
    """The rows of every sample and their counts; a sample that cannot be rendered or is too long is dropped, counted by reason.

    Raises MaskError for a rule that breaks the render contract. accounting.require_enough checks how much was lost.
    """
    rows: list[Row] = []
    counts = Counts()
    for sample in samples:
        renderings = render_fitting(sample, tokenizer, data.overlong, max_tokens, counts)
        learning = [(rendered, weigh(rendered, mask)) for rendered in renderings if applies(rendered, mask)]
        if renderings and not learning:
            counts.drop(Fault.masked, f"nothing is learned by mask={mask.rule.value}", sample.id)
        ends = False
        for rendered, weight in learning:
            learned = count_learned(rendered, weight)
            counts.add(len(rendered.ids), learned)
            ends |= "terminal" in learned
            rows.append(Row(_row_id(sample, rendered, renderings), rendered.ids, tuple(weight.tolist()), tuple(learned.items())))
        counts.samples += bool(learning)
        if learning and not ends and not (sample.decision or sample.is_chat):
            counts.count_endless(sample.id)
    return rows, counts


def _row_id(sample: Sample, rendered: Rendered, renderings: Sequence[Rendered]) -> str:
    beside_whole = rendered.unrolled and not renderings[0].unrolled
    return f"{sample.id}/{len(rendered.messages) - 1}" if rendered.following or beside_whole else sample.id


def render_fitting(sample: Sample, tokenizer: ChatTokenizer, overlong: Overlong, max_tokens: int, counts: Counts) -> list[Rendered]:
    """The sample's renderings of at most max_tokens; longer ones are cut as overlong asks, or dropped, and counted.

    Raises RenderError for what holds for every sample of this base.
    """
    try:
        renderings = render_all(sample.messages, tokenizer, sample.failed, sample.unlearned)
        for turn in renderings[0].lost:
            counts.leave_out(turn.fault, turn.reason, sample.id)
        if sample.decision:
            last = of_last_turn(renderings)
            if last is None:
                raise RenderError(renderings[0].lost[-1].reason, renderings[0].lost[-1].fault)
            renderings = [replace(last, decision=True)]
        policy = Overlong.keep_last if sample.decision else overlong  # keep the continuation and the landing
        cut = [shorten(rendered, tokenizer, policy, max_tokens) for rendered in renderings]
    except RenderError as error:
        if error.fault is Fault.base:  # it holds for every sample
            raise
        counts.drop(error.fault, str(error), sample.id)
        return []
    for before, after in zip(renderings, cut, strict=True):
        counts.cut(len(before.messages) - len(after.messages))
    short = [rendered for rendered in cut if len(rendered.ids) <= max_tokens]
    if len(short) < len(cut):
        counts.drop(Fault.long, f"longer than trainer.max_tokens={max_tokens}", sample.id, len(cut) - len(short))
    return short

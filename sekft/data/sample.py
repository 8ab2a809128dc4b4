"""A sample is a conversation to learn from; a row is it as tokens with weights."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sekft.config import DataConfig, MaskConfig, Overlong
from sekft.errors import DataError, RenderError
from sekft.mask.rules import applies, weigh
from sekft.mask.tokens import tokens
from sekft.rendering.messages import Message
from sekft.rendering.render import Rendered, render_all
from sekft.rendering.tokenizer import ChatTokenizer


@dataclass(frozen=True)
class Sample:
    id: str
    group: str  # bundle id: rows of one world never lie on both sides of a split
    source: str
    messages: tuple[Message, ...]
    failed: frozenset[int] = frozenset()  # turns whose command failed


@dataclass(frozen=True)
class Row:
    """What is trained on. ids, weight: (T,)."""

    id: str
    ids: tuple[int, ...]
    weight: tuple[float, ...]


@dataclass
class Counts:
    """Where rows and tokens went; printed before the first step."""

    rows: int = 0
    tokens: int = 0
    learned: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)  # learned tokens: environment, command, terminal, stop
    dropped: Counter[str] = field(default_factory=Counter)  # rows, by reason
    cut_turns: int = 0

    def line(self) -> str:
        share = 100 * self.learned / self.tokens if self.tokens else 0.0
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.by_kind.items()))
        lost = ", ".join(f"{reason} {count}" for reason, count in sorted(self.dropped.items())) or "none"
        learned = f"{self.learned} learned ({share:.1f} %: {kinds})"
        return f"{self.rows} rows, {self.tokens} tokens, {learned}; dropped: {lost}; turns cut: {self.cut_turns}"


def rows(
    samples: Iterable[Sample], tokenizer: ChatTokenizer, mask: MaskConfig, data: DataConfig, max_tokens: int
) -> tuple[list[Row], Counts]:
    """Render, weigh and bound every sample. A sample the contract refuses is dropped and counted by reason.

    Raises MaskError for a rule that breaks the contract. See require_enough for what may be lost.
    """
    out: list[Row] = []
    counts = Counts()
    for sample in samples:
        for rendered in fitting(sample, tokenizer, data.overlong, max_tokens, counts):
            if not applies(rendered, mask):
                if not rendered.unrolled:
                    counts.dropped[f"nothing is learned by mask={mask.rule.value}"] += 1
                continue
            weight = weigh(rendered, mask)
            out.append(Row(_row_id(sample, rendered), rendered.ids, tuple(weight.tolist())))
            counts.rows += 1
            counts.tokens += len(rendered.ids)
            counts.learned += int((weight > 0).sum())
            counts.by_kind.update(token.kind for token in tokens(rendered, weight) if token.weight)
    return out, counts


def _row_id(sample: Sample, rendered: Rendered) -> str:
    return f"{sample.id}/{len(rendered.messages) - 1}" if rendered.following else sample.id


def fitting(sample: Sample, tokenizer: ChatTokenizer, overlong: Overlong, max_tokens: int, counts: Counts) -> list[Rendered]:
    """The sample's renderings that are no longer than max_tokens; the others are cut or dropped, and counted."""
    try:
        renderings = render_all(sample.messages, tokenizer, sample.failed)
        if overlong is Overlong.keep_last:
            renderings = [_cut(rendered, tokenizer, max_tokens, counts) for rendered in renderings]
    except RenderError as error:
        counts.dropped[str(error).partition(": ")[2] or str(error)] += 1
        return []
    fitting = [rendered for rendered in renderings if len(rendered.ids) <= max_tokens]
    if len(fitting) < len(renderings):
        counts.dropped[f"longer than trainer.max_tokens={max_tokens}"] += len(renderings) - len(fitting)
    return fitting


def _cut(rendered: Rendered, tokenizer: ChatTokenizer, max_tokens: int, counts: Counts) -> Rendered:
    """Without its first turns, two at a time, until it fits or only the last decision is left."""
    while len(rendered.ids) > max_tokens and len(rendered.messages) > 2:
        counts.cut_turns += 2
        failed = frozenset(turn - 2 for turn in rendered.failed)
        following = rendered.following
        rendered = replace(render_all(rendered.messages[2:], tokenizer, failed)[-1], following=following)
    return rendered


def require_enough(counts: Counts, data: DataConfig) -> None:
    """Raises DataError if no row is left, or more than data.max_dropped_share is lost."""
    lost = counts.dropped.total()
    if not counts.rows:
        raise DataError(f"no row left to train on ({counts.line()})")
    if lost > data.max_dropped_share * (lost + counts.rows):
        allowed = f"allowed: data.max_dropped_share={data.max_dropped_share}"
        raise DataError(f"{lost} of {lost + counts.rows} rows lost, {allowed} ({counts.line()})")

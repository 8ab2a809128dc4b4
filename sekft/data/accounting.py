"""Counts of samples, rows and tokens: what is trained on and what was dropped, by kind, length and reason."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

from sekft.config import DataConfig
from sekft.errors import DataError, Fault

EXAMPLES = 3  # sample ids shown for each reason
BAR_LENGTH = 40  # characters of the longest bar
REMEDIES = {  # what to do where all rows are lost for one reason
    Fault.long: "raise trainer.max_tokens, or cut the middle of long rows with data.overlong=cut_middle",
    Fault.masked: "choose another mask",
    Fault.template: "give model.template=FILE with a template that renders these conversations",
    Fault.changed: "give model.template=FILE with a template that writes what was typed as it is",
    Fault.messages: "each conversation begins with the environment; a system turn is allowed only before it",
    Fault.unreadable: "the tokenizer cannot write these commands; choose another base",
    Fault.tokens: "give model.template=FILE with a template whose prompt ends in a control token or a line end",
}


@dataclass
class Counts:
    """The counts of a set of rows; filled row by row. A sample (conversation) that is unrolled gives one row per decision."""

    samples: int = 0  # that give a row or more
    tokens: int = 0
    learned: int = 0  # tokens
    by_kind: Counter[str] = field(default_factory=Counter)  # learned tokens: command, terminal, stop, environment
    lengths: list[int] = field(default_factory=list)  # tokens of each row, in order
    dropped: Counter[str] = field(default_factory=Counter)  # rows, by kind of fault
    unlearned: Counter[str] = field(default_factory=Counter)  # assistant turns that are context only, by kind of fault
    reasons: dict[str, str] = field(default_factory=dict)  # a sentence for each kind of fault
    endless: int = 0  # episodes without a learned exit or panic
    named: dict[str, list[str]] = field(default_factory=dict)  # the first sample ids for each kind of fault, and for "endless"
    cut_rows: int = 0  # rows shortened to trainer.max_tokens
    cut_turns: int = 0  # turns cut from them
    sources: dict[str, int] = field(default_factory=dict)  # rows by source

    @property
    def rows(self) -> int:
        return len(self.lengths)

    def add(self, length: int, learned: Iterable[str] | Mapping[str, int]) -> None:
        """Count a row. length: its tokens. learned: the kind of each learned token, or the number of each kind."""
        kinds = Counter(learned)
        self.lengths.append(length)
        self.tokens += length
        self.learned += kinds.total()
        self.by_kind += kinds

    def drop(self, fault: Fault, reason: str, sample_id: str, amount: int = 1) -> None:
        """Count rows of a sample that are not trained on. reason: a sentence; the first of a kind is shown for all."""
        self.dropped[fault.value] += amount
        self._explain(fault.value, reason, sample_id)

    def leave_out(self, fault: Fault, reason: str, sample_id: str) -> None:
        """Count an assistant turn that no row of its sample learns."""
        self.unlearned[fault.value] += 1
        self._explain(fault.value, reason, sample_id)

    def add_all(self, other: "Counts") -> None:
        """Add the rows of other behind these, and its losses."""
        self.lengths += other.lengths
        self.tokens += other.tokens
        self.learned += other.learned
        self.by_kind += other.by_kind
        self.add_losses(other)

    def add_losses(self, other: "Counts") -> None:
        """Add everything of other but its rows and tokens."""
        self.samples += other.samples
        self.endless += other.endless
        self.dropped += other.dropped
        self.unlearned += other.unlearned
        self.reasons = other.reasons | self.reasons
        self.cut_rows += other.cut_rows
        self.cut_turns += other.cut_turns
        for reason, ids in other.named.items():
            for sample_id in ids:
                self._add_example(reason, sample_id)

    def count_endless(self, sample_id: str) -> None:
        """Count an episode of which no exit or panic is learned."""
        self.endless += 1
        self._add_example("endless", sample_id)

    def cut(self, turns: int) -> None:
        """Count a row from which this many turns were cut; 0 counts nothing."""
        self.cut_rows += turns > 0
        self.cut_turns += turns

    def line(self) -> str:
        """Everything in one line; each reason with its number and the first sample ids."""
        share = 100 * self.learned / self.tokens if self.tokens else 0.0
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.by_kind.items()))
        lost = self._losses(self.dropped) or "none"
        turns = f"; turns not learned: {self._losses(self.unlearned)}" if self.unlearned else ""
        endless = f"; samples without a learned exit or panic: {self.endless} ({self._examples('endless')})" if self.endless else ""
        cut = f"; turns cut: {self.cut_turns} in {self.cut_rows} rows" if self.cut_turns else ""
        learned = f"{self.learned} learned ({share:.1f} %: {kinds})"
        return f"{self.rows} rows, {self.tokens} tokens, {learned}; rows dropped: {lost}{turns}{endless}{cut}"

    def histogram(self) -> dict[int, int]:
        """Rows by length: {power of two: rows no longer than it and longer than half of it}, ascending, without a gap."""
        ends = Counter(1 << (length - 1).bit_length() for length in self.lengths)
        bounds = [1 << power for power in range(min(ends, default=1).bit_length() - 1, max(ends, default=0).bit_length())]
        return {bound: ends[bound] for bound in bounds}

    def bars(self) -> Iterator[str]:
        """The histogram as lines for a terminal, after one with the shortest, median and longest row."""
        if not self.lengths:
            return
        yield f"row length: shortest {min(self.lengths)}, median {median_low(self.lengths)}, longest {max(self.lengths)} tokens"
        most = max(self.histogram().values())
        for bound, count in self.histogram().items():
            yield f"  <= {bound:<6} {count:>6} {'#' * -(-BAR_LENGTH * count // most)}".rstrip()

    def summary(self) -> dict[str, Any]:
        """The counts as in summary.json under `data`."""
        return {
            **{key: getattr(self, key) for key in ("samples", "rows", "tokens", "learned", "endless", "cut_rows", "cut_turns")},
            "by_kind": dict(sorted(self.by_kind.items())),
            "dropped": dict(sorted(self.dropped.items())),
            "unlearned": dict(sorted(self.unlearned.items())),
            "reasons": dict(sorted(self.reasons.items())),
            "named": self.named,
            "lengths": {str(bound): count for bound, count in self.histogram().items()},
        }

    def _add_example(self, kind: str, sample_id: str) -> None:
        ids = self.named.setdefault(kind, [])
        if len(ids) < EXAMPLES and sample_id not in ids:
            ids.append(sample_id)

    def _explain(self, kind: str, reason: str, sample_id: str) -> None:
        self.reasons.setdefault(kind, reason)
        self._add_example(kind, sample_id)

    def _losses(self, counted: Counter[str]) -> str:
        return ", ".join(f"{self.reasons[kind]} {count} ({self._examples(kind)})" for kind, count in sorted(counted.items()))

    def _examples(self, kind: str) -> str:
        return ", ".join(self.named.get(kind, []))


def require_enough(counts: Counts, data: DataConfig) -> None:
    """Raise DataError if no row is left, or more rows are lost or episodes lack an ending than the shares in data allow."""
    lost = counts.dropped.total()
    if not counts.rows and len(counts.dropped) == 1:
        [fault] = map(Fault, counts.dropped)
        remedy = f"; {REMEDIES[fault]}" if fault in REMEDIES else ""
        raise DataError(f"no row left to train on: all {lost} are lost for one reason: {counts.reasons[fault]}{remedy} ({counts.line()})")
    if not counts.rows:
        raise DataError(f"no row left to train on ({counts.line()})")
    if lost > data.max_dropped_share * (lost + counts.rows):
        allowed = f"allowed: data.max_dropped_share={data.max_dropped_share}"
        raise DataError(f"{lost} of {lost + counts.rows} rows lost, {allowed} ({counts.line()})")
    if counts.endless > data.max_endless_share * counts.samples:
        allowed = f"allowed: data.max_endless_share={data.max_endless_share}"
        raise DataError(f"{counts.endless} of {counts.samples} samples have no learned exit or panic, {allowed} ({counts.line()})")

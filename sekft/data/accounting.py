"""Loss accounting: where samples, rows and tokens went, by kind, by length and by reason; printed before the first step."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

from sekft.config import DataConfig
from sekft.errors import DataError

NAMED = 3  # ids told for each reason
BAR = 40  # characters of the longest bar


@dataclass
class Counts:
    """Filled row by row. A sample is a conversation; one that is unrolled gives a row for each decision."""

    samples: int = 0  # with a row at least
    tokens: int = 0
    learned: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)  # learned tokens: environment, command, terminal, stop
    lengths: list[int] = field(default_factory=list)  # tokens of each row, in order
    dropped: Counter[str] = field(default_factory=Counter)  # rows, by reason
    endless: int = 0  # samples of which no exit or panic is learned
    named: dict[str, list[str]] = field(default_factory=dict)  # the first ids of each reason, and of the endless
    cut_rows: int = 0
    cut_turns: int = 0
    sources: dict[str, int] = field(default_factory=dict)  # rows that came of each

    @property
    def rows(self) -> int:
        return len(self.lengths)

    def add(self, length: int, learned: Iterable[str] | Mapping[str, int]) -> None:
        """A row. length: its tokens; learned: the kind of each learned one, or how many there are of each."""
        kinds = Counter(learned)
        self.lengths.append(length)
        self.tokens += length
        self.learned += kinds.total()
        self.by_kind += kinds

    def drop(self, reason: str, name: str, amount: int = 1) -> None:
        self.dropped[reason] += amount
        self._name(reason, name)

    def add_all(self, other: "Counts") -> None:
        """Its rows behind these, and what was lost on the way to them."""
        self.lengths += other.lengths
        self.tokens += other.tokens
        self.learned += other.learned
        self.by_kind += other.by_kind
        self.take_over(other)

    def take_over(self, other: "Counts") -> None:
        """Everything but the rows themselves: what was lost on the way to them."""
        self.samples += other.samples
        self.endless += other.endless
        self.dropped += other.dropped
        self.cut_rows += other.cut_rows
        self.cut_turns += other.cut_turns
        for reason, names in other.named.items():
            for name in names:
                self._name(reason, name)

    def miss_ending(self, name: str) -> None:
        self.endless += 1
        self._name("endless", name)

    def cut(self, turns: int) -> None:
        self.cut_rows += turns > 0
        self.cut_turns += turns

    def line(self) -> str:
        share = 100 * self.learned / self.tokens if self.tokens else 0.0
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.by_kind.items()))
        lost = ", ".join(f"{reason} {count} ({self._names(reason)})" for reason, count in sorted(self.dropped.items())) or "none"
        endless = f"; without a learned exit or panic: {self.endless} ({self._names('endless')})" if self.endless else ""
        cut = f"; turns cut: {self.cut_turns} in {self.cut_rows} rows" if self.cut_turns else ""
        learned = f"{self.learned} learned ({share:.1f} %: {kinds})"
        return f"{self.rows} rows, {self.tokens} tokens, {learned}; dropped: {lost}{endless}{cut}"

    def histogram(self) -> dict[int, int]:
        """Rows by length: {power of two: rows no longer than it and longer than half of it}, ascending, without a gap."""
        ends = Counter(1 << (length - 1).bit_length() for length in self.lengths)
        bounds = [1 << power for power in range(min(ends, default=1).bit_length() - 1, max(ends, default=0).bit_length())]
        return {bound: ends[bound] for bound in bounds}

    def bars(self) -> Iterator[str]:
        """The histogram for a terminal, after a line of shortest, median and longest."""
        if not self.lengths:
            return
        yield f"row length: shortest {min(self.lengths)}, median {median_low(self.lengths)}, longest {max(self.lengths)} tokens"
        most = max(self.histogram().values())
        for bound, count in self.histogram().items():
            yield f"  <= {bound:<6} {count:>6} {'█' * -(-BAR * count // most)}".rstrip()

    def summary(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            **{key: getattr(self, key) for key in ("samples", "rows", "tokens", "learned", "endless", "cut_rows", "cut_turns")},
            "by_kind": dict(sorted(self.by_kind.items())),
            "dropped": dict(sorted(self.dropped.items())),
            "named": self.named,
            "lengths": {str(bound): count for bound, count in self.histogram().items()},
        }

    def _name(self, reason: str, name: str) -> None:
        names = self.named.setdefault(reason, [])
        if len(names) < NAMED and name not in names:
            names.append(name)

    def _names(self, reason: str) -> str:
        return ", ".join(self.named.get(reason, []))


def require_enough(counts: Counts, data: DataConfig) -> None:
    """Raises DataError if no row is left, or more than the shares that data allows are lost or never learn to leave."""
    lost = counts.dropped.total()
    if not counts.rows:
        raise DataError(f"no row left to train on ({counts.line()})")
    if lost > data.max_dropped_share * (lost + counts.rows):
        allowed = f"allowed: data.max_dropped_share={data.max_dropped_share}"
        raise DataError(f"{lost} of {lost + counts.rows} rows lost, {allowed} ({counts.line()})")
    if counts.endless > data.max_endless_share * counts.samples:
        allowed = f"allowed: data.max_endless_share={data.max_endless_share}"
        raise DataError(f"{counts.endless} of {counts.samples} samples never learn to leave, {allowed} ({counts.line()})")

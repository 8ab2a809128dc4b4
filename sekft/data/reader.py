"""What a source is to the mixer: a function that streams samples and says of everything else what became of it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from sekft.config import SourceConfig
from sekft.data.sample import Sample
from sekft.errors import DataError


@dataclass
class ReadStats:
    """Filled while a source is read. left_out: well-formed records that are not learned from; bad: what cannot be read;
    changed: what of samples is not as it was recorded."""

    max_bad: int = 0
    read: int = 0  # samples
    skipped: Counter[str] = field(default_factory=Counter)  # by reason
    changed: Counter[str] = field(default_factory=Counter)  # by what was done
    invalid: list[str] = field(default_factory=list)  # file:line and what is wrong, in order

    def skip(self, reason: str, amount: int = 1) -> None:
        self.skipped[reason] += amount

    def change(self, what: str, amount: int = 1) -> None:
        if amount:
            self.changed[what] += amount

    def reject(self, where: str, why: str) -> None:
        """A row that cannot be read. Raises DataError if that is one too many."""
        self.invalid.append(f"{where}: {why}")
        if len(self.invalid) > self.max_bad:
            allowed = f" (the {len(self.invalid)}th bad row; allowed: max_bad={self.max_bad})" if self.max_bad else ""
            raise DataError(f"{where}: {why}{allowed}")

    def lines(self) -> Iterator[str]:
        """What was left out and changed, if anything, and the first bad row."""
        if self.skipped:
            yield f"{self.read} keepers; left out: {_counts(self.skipped)}"
        if self.changed:
            yield f"changed: {_counts(self.changed)}"
        if self.invalid:
            yield f"{len(self.invalid)} bad rows left out, allowed: max_bad={self.max_bad}; the first: {self.invalid[0]}"


class Reader(Protocol):
    """A source: samples in the order of its files, none held longer than it takes to yield it.

    name: under which the samples go; source.path is given. Raises DataError naming file and line where there is nothing to read.
    """

    def __call__(self, name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]: ...


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counter.items()))

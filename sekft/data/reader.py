"""The interface of a source reader, and the statistics it fills while it reads."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from sekft.config import SourceConfig
from sekft.data.sample import Sample
from sekft.errors import DataError

FEW = 3  # invalid records that never end a run whose max_bad is not set
SHARE = 0.2  # of the records of a source that may be invalid where there are more than FEW, as data.max_dropped_share is of rows
LONGEST = 400  # characters of a problem
HOPELESS = 100  # invalid records before the first valid one: the rest is not read


@dataclass
class ReadStats:
    """What became of the records of one source; filled while it is read."""

    max_bad: int | None = 0  # invalid records that are allowed, data.sources.NAME.max_bad; None: FEW, or SHARE of all
    read: int = 0  # samples
    skipped: Counter[str] = field(default_factory=Counter)  # valid records that give no sample, by reason
    changed: Counter[str] = field(default_factory=Counter)  # edits of records that give a sample, by kind of edit
    name: str = ""  # of the source, for errors
    invalid: list[str] = field(default_factory=list)  # "file:line: problem" of each record that cannot be read, in order

    def skip(self, reason: str) -> None:
        self.skipped[_one_line(reason)] += 1

    def count_change(self, change: str, amount: int = 1) -> None:
        if amount:
            self.changed[_one_line(change)] += amount

    def reject(self, location: str, problem: str) -> None:
        """Count a record that cannot be read. Raises DataError if more than max_bad are invalid."""
        problem = _one_line(problem)
        self.invalid.append(f"{location}: {problem}")
        if self.max_bad is None:
            if len(self.invalid) >= HOPELESS and not (self.read or self.skipped):
                self.require_few()
        elif len(self.invalid) > self.max_bad:
            counted = f" (invalid records: {len(self.invalid)}; allowed: max_bad={self.max_bad})"
            bound = counted if self.max_bad else f"; data.sources.{self.name}.max_bad=1 skips it" if self.name else ""
            raise DataError(f"{location}: {problem}{bound}")

    def require_few(self) -> None:
        """Raise DataError if max_bad is not set and too many of the records were invalid, or all of them."""
        invalid, others = len(self.invalid), self.read + self.skipped.total()
        if self.max_bad is None and invalid and (not others or invalid > max(FEW, SHARE * (invalid + others))):
            more = f"; {invalid} of {invalid + others} records cannot be read" if invalid + others > 1 else ""
            allowed = f", allowed: {SHARE:.0%} of them, or data.sources.{self.name or 'NAME'}.max_bad={invalid}" if others else ""
            raise DataError(f"{self.invalid[0]}{more}{allowed}")

    def lines(self) -> Iterator[str]:
        """Lines for the user: what was skipped and why, what was changed, the first invalid record; nothing for a count of 0."""
        if self.skipped:
            yield f"{self.read} samples read, {self.skipped.total()} records skipped: {_counts(self.skipped)}"
        if self.changed:
            yield f"changed: {_counts(self.changed)}"
        if self.invalid:
            bound = f"{SHARE:.0%} of all" if self.max_bad is None else f"max_bad={self.max_bad}"
            yield f"{len(self.invalid)} invalid records skipped (allowed: {bound}); the first: {self.invalid[0]}"


class Reader(Protocol):
    """Reads a source: yields its samples in the order of its files, holding one record at a time where the format allows.

    name: of the source, which starts the samples' ids. source: its path is given. Raises DataError naming file and line.
    """

    def __call__(self, name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]: ...


def _one_line(text: str) -> str:
    """The text in one line of bounded length: it may quote a record."""
    return " ".join(text.split())[:LONGEST]


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counter.items()))

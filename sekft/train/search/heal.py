"""Iterative repair: a series of trainings, each on a mix of data that answers what the one before lost, until a limit is reached.

Every decision follows from the runs' iteration.json, so a series that is started again makes the same decisions.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.table import Table

from sekft.cli.console import echo, echo_table
from sekft.errors import SettingsError
from sekft.eval.gate import Verdict
from sekft.eval.score import TUNED
from sekft.tracking import records
from sekft.tracking.files import write_json
from sekft.train.search import iteration
from sekft.train.search.iteration import Iteration

RECORD = "heal.json"


@dataclass(frozen=True)
class Limits:
    """When a series ends: hydra.sweeper.* of sweep=heal.

    iterations: repairs after the first training. max_s: seconds of all runs together, 0: no limit. patience: repairs in a row without an
    improvement. enough: the verdict in the development scenarios after which nothing is left to repair; None: no verdict is.
    """

    iterations: int
    max_s: float
    patience: int
    enough: str | None

    def __post_init__(self) -> None:
        """Raises SettingsError."""
        for name, least in (("iterations", 0), ("max_s", 0), ("patience", 1)):
            if getattr(self, name) < least:
                raise SettingsError(f"hydra.sweeper.{name}: found {getattr(self, name)}, allowed: {least} or more")
        if self.enough is not None and self.enough not in tuple(Verdict):
            raise SettingsError(f"hydra.sweeper.enough: found {self.enough!r}, allowed: null, {', '.join(Verdict)}")


@dataclass(frozen=True)
class TableRow:
    """An iteration in heal.json. rate, test: the criterion's rate in the development scenarios and in the evaluation, with interval."""

    iteration: int
    run: str
    rate: str
    test: str
    over: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    state: str
    improved: bool
    goes_on_from: str
    gate: str


@dataclass(frozen=True)
class Summary:
    """The document heal.json. adapter: the one that the series leaves; stopped: why it ended, None while it runs."""

    iterations: tuple[TableRow, ...]
    adapter: str | None
    seconds: float
    stopped: str | None


@dataclass
class IterativeRepair:
    """The state of a series. overrides: of every run; first: of the first run only; iterations: one for each finished run."""

    overrides: Sequence[str]
    folder: Path
    first: Sequence[str]
    limits: Limits
    iterations: list[Iteration] = field(default_factory=list)

    @classmethod
    def from_sweep(cls, grid: Sequence[Sequence[str]], folder: str, first: Sequence[str], limits: Limits) -> "IterativeRepair":
        """Raises SettingsError for a grid of several settings."""
        if len(grid) != 1:
            raise SettingsError(f"sweep=heal: {len(grid)} settings, allowed: one, as one adapter is repaired")
        return cls(grid[0], Path(folder), first, limits)

    def next_job(self) -> list[str]:
        """The overrides of the next run; its p value is corrected for all repairs that the limits allow."""
        last = self.iterations[-1].next if self.iterations else None
        own = last.overrides if last else self.first
        tests = f"repair.tests={max(1, self.limits.iterations)}"
        return [*self.overrides, *own, tests, f"hydra.sweep.subdir={len(self.iterations)}"]

    def finish_job(self) -> bool:
        """Read the result of the last run, print and write the state; whether the series is over."""
        number = len(self.iterations)
        run = self.folder / str(number)
        if not (run / iteration.ITERATION).exists():
            self._report(f"iteration {number} failed, see its log in {run}")
            return True
        result = iteration.read(run)
        if result.development is None:
            self._report(f"iteration {number}: its time limit was reached before the development scenarios")
            return True
        self.iterations.append(result)
        reason = self.stop_reason()
        self._report(reason)
        return reason is not None

    def stop_reason(self) -> str | None:
        """Why the series ends here; None if another run follows."""
        development, repairs = self.iterations[-1].development, len(self.iterations) - 1
        assert development is not None  # finish_job keeps no other
        if development.unmeasured:
            return development.unmeasured
        if not development.lost.lost:
            return "no episode is lost in the development scenarios"
        is_own = development.goes_on_from == TUNED  # the verdict is about this run's adapter
        if self.limits.enough is not None and is_own and development.gate.verdict.split()[0] == self.limits.enough:
            return f"{self.limits.enough} in the development scenarios"
        if repairs >= self.limits.iterations:
            return f"hydra.sweeper.iterations={self.limits.iterations}"
        if self.repairs_without_improvement() >= self.limits.patience:
            return f"hydra.sweeper.patience={self.limits.patience}: no improvement was shown"
        if 0 < self.limits.max_s <= self.seconds():
            return f"hydra.sweeper.max_s={self.limits.max_s:g}: {self.seconds():.0f} s"
        return None

    def repairs_without_improvement(self) -> int:
        """Repairs since the last one that improved."""
        improved = [bool(one.development and one.development.improved) for one in self.iterations[1:]]
        return improved[::-1].index(True) if True in improved else len(improved)

    def seconds(self) -> float:
        """Of all runs, from their records: a series that is started again has used what its runs used."""
        return sum(float(records.run(self.folder / str(number)).seconds or 0) for number in range(len(self.iterations)))

    def adapter(self) -> str | None:
        """The adapter that the series leaves so far."""
        return self.iterations[-1].continued_adapter() if self.iterations else None

    def _report(self, stopped: str | None) -> None:
        rows = tuple(map(_row, self.iterations))
        if rows:
            echo_table(_table(rows))
        write_json(self.folder / RECORD, asdict(Summary(rows, self.adapter(), self.seconds(), stopped)))
        if stopped is not None:
            echo(f"heal: {stopped}; left: {self.adapter() or 'nothing'}")


def _row(result: Iteration) -> TableRow:
    development = result.development
    assert development is not None
    found = development.improvement
    return TableRow(
        iteration=result.iteration,
        run=result.run,
        rate=str(development.scores[TUNED][found.criterion]),
        test=str(result.test.scores[TUNED][found.criterion]),
        over=found.over,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=found.p,
        state=found.state,
        improved=development.improved,
        goes_on_from=development.goes_on_from,
        gate=result.gate_result,
    )


def _table(rows: Sequence[TableRow]) -> Table:
    columns = ("", "verified", "in the evaluation", "over its parent", "", "p", "goes on from")
    table = Table(*columns, title="iterations, in development scenarios")
    for row in rows:
        interval = "" if row.low is None else f"[{row.low:+.2f}, {row.high:+.2f}]"
        gain = f"{row.difference:+.2f} {interval}"
        table.add_row(str(row.iteration), row.rate, row.test, gain, row.state, f"{row.p:.3g}", row.goes_on_from)
    return table

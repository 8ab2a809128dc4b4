"""Successive halving of a grid: on each rung every remaining setting trains on, then those that behave best go to the next rung."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.table import Table

from sekft.cli.console import echo, echo_table
from sekft.errors import SettingsError
from sekft.eval.summary import TUNED, read_evaluation
from sekft.tracking import records
from sekft.tracking.files import write_json
from sekft.tracking.record import CHECKPOINTS, SUMMARY

RECORD = "halving.json"
FINALISTS = 2  # settings on the last rung, so that the evaluation compares two
DECIDING = ("verified", "terminated")  # rates of the adapter; each decides if those before are equal, at last the validation loss does


@dataclass(frozen=True)
class Result:
    """A setting on one rung. setting: its index in the grid; behaviour: what decides, more is better, None if the run failed."""

    setting: int
    folder: Path
    behaviour: tuple[float, ...] | None
    steps: int  # so far, those of earlier rungs included


@dataclass(frozen=True)
class RecordedResult(Result):
    """A result in halving.json. swept: the overrides by which the setting differs from others."""

    swept: tuple[str, ...]


@dataclass(frozen=True)
class Rung:
    share: float  # of the steps
    settings: tuple[RecordedResult, ...]


@dataclass(frozen=True)
class Summary:
    """The document halving.json. goes_on: settings that remain; steps_of_the_grid: what the whole grid would have taken."""

    rungs: tuple[Rung, ...]
    goes_on: tuple[int, ...]
    steps: int
    steps_of_the_grid: int


@dataclass
class SuccessiveHalving:
    """The state of a search. shares: of the steps, by rung, the last is 1; remaining: settings on the current rung; results: by rung."""

    grid: Sequence[Sequence[str]]
    folder: Path
    shares: Sequence[float]
    keep: float
    scenarios: str | None
    remaining: list[int]
    results: list[list[Result]] = field(default_factory=list)

    @classmethod
    def from_sweep(
        cls, grid: Sequence[Sequence[str]], folder: str, first: float, keep: float, scenarios: str | None
    ) -> "SuccessiveHalving":
        """Raises SettingsError."""
        for name, value in (("first", first), ("keep", keep)):
            if not 0 < value < 1:
                raise SettingsError(f"hydra.sweeper.{name}: found {value}, allowed: above 0, below 1")
        return cls(grid, Path(folder), rung_shares(first, keep), keep, scenarios, list(range(len(grid))))

    def next_rung(self) -> list[list[str]]:
        """The overrides of the jobs of the next rung."""
        share = self.shares[len(self.results)]
        where = f", in scenarios of scenarios={self.scenarios}" if self.scenarios and share < 1 else ""
        echo(f"halving: {len(self.remaining)} of {len(self.grid)} settings, {share:.0%} of the steps{where}")
        return [[*self.grid[setting], *self._rung_overrides(setting, share)] for setting in self.remaining]

    def finish_rung(self) -> bool:
        """Read the results of a rung and choose the settings that go on; whether it was the last rung."""
        results = [self._result(setting) for setting in self.remaining]
        self.results.append(results)
        best = sorted((one for one in results if one.behaviour), key=lambda one: (one.behaviour, -one.setting), reverse=True)
        is_last = len(self.results) == len(self.shares) or not best
        self.remaining = [one.setting for one in best[: max(FINALISTS, math.ceil(self.keep * len(best)))]]
        self._report(best, is_last)
        return is_last

    def steps(self) -> tuple[int, int]:
        """Steps that were made, and those of the whole grid if every setting had made as many as the finalists."""
        before = {one.setting: 0 for one in self.results[0]}
        made = 0
        for one in (one for rung in self.results for one in rung if one.behaviour):
            made, before[one.setting] = made + one.steps - before[one.setting], one.steps
        return made, len(self.grid) * max(before.values())

    def swept(self, setting: int) -> tuple[str, ...]:
        """The overrides by which a setting differs from others of the grid."""
        shared = set.intersection(*map(set, self.grid)) if len(self.grid) > 1 else set()
        return tuple(word for word in self.grid[setting] if word not in shared)

    def _rung_overrides(self, setting: int, share: float) -> list[str]:
        """The overrides that a rung adds: where to write, how far to train, what to resume from, in which scenarios to evaluate."""
        overrides = [f"hydra.sweep.subdir={self._name(setting, share)}", f"trainer.stop_at={share}"]
        if self.results:
            before = next(one for one in self.results[-1] if one.setting == setting)
            overrides.append(f"trainer.resume_from='{before.folder / CHECKPOINTS / f'checkpoint-{before.steps}'}'")
        return overrides if share == 1 or not self.scenarios else [*overrides, f"scenarios={self.scenarios}"]

    def _name(self, setting: int, share: float) -> str:
        return f"{setting}-{share:.0%}".rstrip("%")

    def _result(self, setting: int) -> Result:
        folder = self.folder / self._name(setting, self.shares[len(self.results)])
        summary = records.summary(folder) if (folder / SUMMARY).exists() else {}
        if not summary.get(TUNED):  # failed, or reached its time limit before the evaluation
            return Result(setting, folder, None, 0)
        rates = read_evaluation(summary).agents[TUNED].rates
        loss = summary["val_loss"]
        behaviour = (*(rates[name].rate for name in DECIDING), -math.inf if loss is None else -float(loss))
        return Result(setting, folder, behaviour, int(summary["steps"]))

    def _report(self, best: Sequence[Result], is_last: bool) -> None:
        table = Table("setting", *DECIDING, "validation", "steps", "", title=f"rung {len(self.results)} of {len(self.shares)}")
        for one in best:
            verified, terminated, loss = one.behaviour or ()
            goes_on = "goes on" if not is_last and one.setting in self.remaining else ""
            numbers = (f"{verified:.3f}", f"{terminated:.3f}", f"{-loss:.3f}", str(one.steps))
            table.add_row(f"{one.setting}: {' '.join(self.swept(one.setting))}", *numbers, goes_on)
        echo_table(table)
        if failed := [str(one.setting) for one in self.results[-1] if one.behaviour is None]:
            echo(f"halving: failed, and out: {', '.join(failed)}")
        write_json(self.folder / RECORD, asdict(self._summary()))
        if is_last and best:
            echo(f"halving: {self._saved_steps()}; best: {' '.join(self.swept(best[0].setting))} ({best[0].folder})")

    def _saved_steps(self) -> str:
        made, whole = self.steps()
        return f"{made} steps instead of the {whole} of the whole grid, {1 - made / whole:.0%} saved" if whole else f"{made} steps"

    def _summary(self) -> Summary:
        rungs = [
            Rung(share, tuple(RecordedResult(**vars(one), swept=self.swept(one.setting)) for one in results))
            for share, results in zip(self.shares, self.results, strict=False)
        ]
        return Summary(tuple(rungs), tuple(self.remaining), *self.steps())


def rung_shares(first: float, keep: float) -> list[float]:
    """first, first / keep, ... and 1.

    >>> rung_shares(0.25, 0.5)
    [0.25, 0.5, 1.0]
    """
    shares = [first]
    while shares[-1] / keep < 1:
        shares.append(shares[-1] / keep)
    return [*shares, 1.0]

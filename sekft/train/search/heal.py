"""A training that is repaired: each iteration is a run that learns what the one before it lost, until it is well, spent, or no better.

Everything that is decided stands in the runs' iteration.json, so a course that is started again decides the same again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sekft.cli.console import echo
from sekft.errors import SettingsError
from sekft.eval.gate import Verdict
from sekft.tracking import records
from sekft.tracking.files import write_json
from sekft.tracking.record import RUN
from sekft.train.search import iteration

RECORD = "heal.json"


@dataclass(frozen=True)
class Bounds:
    """iterations: repairs after the first training; max_s: of all runs together, 0: no limit; patience: repairs in a row without an
    improvement that is shown; enough: the verdict in the development scenarios with which nothing is left to repair, None: none is."""

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


@dataclass
class Course:
    """given: overrides of every run; first: of the first one alone. told grows by one iteration.json a run."""

    given: Sequence[str]
    folder: Path
    first: Sequence[str]
    bounds: Bounds
    told: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, settings: Sequence[Sequence[str]], folder: str, first: Sequence[str], bounds: Bounds) -> "Course":
        """Raises SettingsError."""
        if len(settings) != 1:
            raise SettingsError(f"sweep=heal: {len(settings)} settings, allowed: one; what it repairs is one adapter")
        return cls(settings[0], Path(folder), first, bounds)

    def job(self) -> list[str]:
        """The overrides of the next run. A p value is paid for all repairs that are allowed, as any of them may be the lucky one."""
        own = self.told[-1]["next"]["overrides"] if self.told else self.first
        tests = f"repair.tests={max(1, self.bounds.iterations)}"
        return [*self.given, *own, tests, f"hydra.sweep.subdir={len(self.told)}"]

    def settle(self) -> bool:
        """After a run: whether it was the last one."""
        run = self.folder / str(len(self.told))
        if not (run / iteration.ITERATION).exists():
            self._tell(f"iteration {len(self.told)} failed, see its log in {run}")
            return True
        told = iteration.read(run)
        if told["development"] is None:
            self._tell(f"iteration {len(self.told)}: time was up before its development scenarios")
            return True
        self.told.append(told)
        why = self.over()
        self._tell(why)
        return why is not None

    def over(self) -> str | None:
        """Why no other run is begun; None if one is."""
        developed, made = self.told[-1]["development"], len(self.told) - 1
        if developed["unmeasured"]:
            return str(developed["unmeasured"])
        if not developed["lost"]["lost"]:
            return "no episode is lost in the development scenarios"
        if self.bounds.enough is not None and _heirs_gate(self.told[-1]) == self.bounds.enough:
            return f"{self.bounds.enough} in the development scenarios"
        if made >= self.bounds.iterations:
            return f"hydra.sweeper.iterations={self.bounds.iterations}"
        if self.waited() >= self.bounds.patience:
            return f"hydra.sweeper.patience={self.bounds.patience}: no improvement was shown"
        if 0 < self.bounds.max_s <= self.seconds():
            return f"hydra.sweeper.max_s={self.bounds.max_s:g}: {self.seconds():.0f} s"
        return None

    def waited(self) -> int:
        """Repairs without an improvement since the last one that had one."""
        improved = [one["development"]["improved"] for one in self.told[1:]]
        return improved[::-1].index(True) if True in improved else len(improved)

    def seconds(self) -> float:
        """As the runs say it: a course that is started again has spent what it had spent."""
        return sum(float(records.document(self.folder / str(at) / RUN)["seconds"] or 0) for at in range(len(self.told)))

    def successor(self) -> str | None:
        """The adapter that the last run leaves: its own, or that which it could not improve on."""
        return _successor(self.told[-1]) if self.told else None

    def _tell(self, why: str | None) -> None:
        if self.told:
            Console(width=120).print(self._table())
        record = {"iterations": [_row(one) for one in self.told], "heir": self.successor(), "seconds": self.seconds(), "stopped": why}
        write_json(self.folder / RECORD, record)
        if why is not None:
            echo(f"heal: {why}; left: {self.successor() or 'nothing'}")

    def _table(self) -> Table:
        table = Table(
            "", "verified", "in the evaluation", "over its parent", "", "p", "goes on from", title="iterations, in development scenarios"
        )
        for one in map(_row, self.told):
            low, high = one["low"], one["high"]
            interval = "" if low is None else f"[{low:+.2f}, {high:+.2f}]"
            gain = f"{one['difference']:+.2f} {interval}"
            table.add_row(str(one["iteration"]), one["rate"], one["test"], gain, one["state"], f"{one['p']:.3g}", one["goes_on_from"])
        return table


def _row(told: dict[str, Any]) -> dict[str, Any]:
    developed = told["development"]
    found = developed["improvement"]
    criterion = found["criterion"]
    rates = {where: told[where]["scores"]["tuned"][criterion] for where in ("development", "test")}
    own = {where: f"{rate['k']}/{rate['n']} [{rate['low']:.2f}, {rate['high']:.2f}]" for where, rate in rates.items()}
    about = {key: found[key] for key in ("over", "difference", "low", "high", "p", "state")}
    return {
        "iteration": told["iteration"],
        "run": told["run"],
        "rate": own["development"],
        "test": own["test"],
        **about,
        "improved": developed["improved"],
        "goes_on_from": developed["goes_on_from"],
        "gate": told["gate_result"],
    }


def _successor(told: dict[str, Any]) -> str | None:
    own = str(Path(told["run"]) / "adapter")
    return own if told["development"]["goes_on_from"] == "tuned" else told["parent"] and told["parent"]["adapter"]


def _heirs_gate(told: dict[str, Any]) -> str | None:
    """The first word of the verdict on the adapter that is left; None where that is not the one of this run, which was judged."""
    developed = told["development"]
    return str(developed["gate"]["verdict"]).split()[0] if developed["goes_on_from"] == "tuned" else None

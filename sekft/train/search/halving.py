"""A grid in rungs: every setting learns a share of its steps, how it behaves then decides who goes on, in the very same training."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sekft.cli.console import echo
from sekft.errors import SettingsError
from sekft.tracking.files import write_json
from sekft.tracking.record import CHECKPOINTS, SUMMARY

RECORD = "halving.json"
FINALISTS = 2  # who won is seen in the evaluation
DECIDING = ("verified", "terminated")  # rates of the tuned model, the second where the first is equal; then the loss of validation


@dataclass(frozen=True)
class Result:
    """Of one setting on one rung. behaviour: what decides, more is better; None: it failed."""

    setting: int  # its place in the grid
    folder: Path
    behaviour: tuple[float, ...] | None
    steps: int  # made so far, those of earlier rungs included


@dataclass
class Ladder:
    """shares: of the steps, by rung, 1 at last. alive: settings that are on the rung. results grows by one list a rung."""

    settings: Sequence[Sequence[str]]
    folder: Path
    shares: Sequence[float]
    keep: float
    scenarios: str | None
    alive: list[int]
    results: list[list[Result]] = field(default_factory=list)

    @classmethod
    def of(cls, settings: Sequence[Sequence[str]], folder: str, first: float, keep: float, scenarios: str | None) -> "Ladder":
        """Raises SettingsError."""
        for name, value in (("first", first), ("keep", keep)):
            if not 0 < value < 1:
                raise SettingsError(f"hydra.sweeper.{name}: found {value}, allowed: above 0, below 1")
        return cls(settings, Path(folder), shares(first, keep), keep, scenarios, list(range(len(settings))))

    def rung(self) -> list[list[str]]:
        """The overrides of the jobs of this rung."""
        share = self.shares[len(self.results)]
        last = share == 1
        echo(f"halving: {len(self.alive)} of {len(self.settings)} settings, {share:.0%} of the steps{'' if last else self._where()}")
        return [[*self.settings[setting], *self._where_and_how_far(setting, share, last)] for setting in self.alive]

    def settle(self) -> bool:
        """After a rung: who goes on. Whether that was the last one."""
        done = [self._result(setting) for setting in self.alive]
        self.results.append(done)
        best = sorted((one for one in done if one.behaviour), key=lambda one: (one.behaviour, -one.setting), reverse=True)
        last = len(self.results) == len(self.shares) or not best
        self.alive = [one.setting for one in best[: max(FINALISTS, math.ceil(self.keep * len(best)))]]
        self._tell(best, last)
        return last

    def _where(self) -> str:
        return f", in scenarios of scenarios={self.scenarios}" if self.scenarios else ""

    def _where_and_how_far(self, setting: int, share: float, last: bool) -> list[str]:
        added = [f"hydra.sweep.subdir={self._name(setting, share)}", f"trainer.stop_at={share}"]
        if self.results:
            before = next(one for one in self.results[-1] if one.setting == setting)
            added.append(f"trainer.resume_from='{before.folder / CHECKPOINTS / f'checkpoint-{before.steps}'}'")
        return added if last or not self.scenarios else [*added, f"scenarios={self.scenarios}"]

    def _name(self, setting: int, share: float) -> str:
        return f"{setting}-{share:.0%}".rstrip("%")

    def _result(self, setting: int) -> Result:
        folder = self.folder / self._name(setting, self.shares[len(self.results)])
        if not (folder / SUMMARY).exists():
            return Result(setting, folder, None, 0)
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        if not summary["tuned"]:  # its time was up before the evaluation
            return Result(setting, folder, None, 0)
        rates = [float(summary["tuned"]["rates"][name]["rate"]) for name in DECIDING]
        loss = summary["val_loss"]
        return Result(setting, folder, (*rates, -math.inf if loss is None else -float(loss)), int(summary["steps"]))

    def _tell(self, best: Sequence[Result], last: bool) -> None:
        table = Table("setting", *DECIDING, "validation", "steps", "", title=f"rung {len(self.results)} of {len(self.shares)}")
        for one in best:
            verified, terminated, loss = one.behaviour or ()
            on = "" if last else "goes on" if one.setting in self.alive else ""
            told = (f"{verified:.3f}", f"{terminated:.3f}", f"{-loss:.3f}", str(one.steps), on)
            table.add_row(f"{one.setting}: {' '.join(self.swept(one.setting))}", *told)
        Console().print(table)
        failed = [str(one.setting) for one in self.results[-1] if one.behaviour is None]
        if failed:
            echo(f"halving: failed, and out: {', '.join(failed)}")
        write_json(self.folder / RECORD, self._record())
        if last and best:
            echo(f"halving: {self._balance()}; best: {' '.join(self.swept(best[0].setting))} ({best[0].folder})")

    def _balance(self) -> str:
        made, whole = self.steps()
        return f"{made} steps instead of the {whole} of the whole grid, {1 - made / whole:.0%} saved" if whole else f"{made} steps"

    def steps(self) -> tuple[int, int]:
        """Made, and of the whole grid, if every setting had made as many as those at the end."""
        before = {one.setting: 0 for one in self.results[0]}
        made = 0
        for one in (one for rung in self.results for one in rung if one.behaviour):
            made, before[one.setting] = made + one.steps - before[one.setting], one.steps
        return made, len(self.settings) * max(before.values())

    def swept(self, setting: int) -> list[str]:
        """What sets this setting apart in the grid."""
        shared = set.intersection(*map(set, self.settings)) if len(self.settings) > 1 else set()
        return [word for word in self.settings[setting] if word not in shared]

    def _record(self) -> dict[str, Any]:
        made, whole = self.steps()
        rungs = [
            {"share": share, "settings": [{**vars(one), "swept": self.swept(one.setting)} for one in rung]}
            for share, rung in zip(self.shares, self.results, strict=False)
        ]
        return {"rungs": rungs, "goes_on": self.alive, "steps": made, "steps_of_the_grid": whole}


def shares(first: float, keep: float) -> list[float]:
    """first, first / keep, ... and 1.

    >>> shares(0.25, 0.5)
    [0.25, 0.5, 1.0]
    """
    found = [first]
    while found[-1] / keep < 1:
        found.append(found[-1] / keep)
    return [*found, 1.0]

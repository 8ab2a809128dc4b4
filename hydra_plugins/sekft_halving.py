"""Hydra's door to sekft.train.search.halving; sweepers are found in a package of this name only."""

from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore


@dataclass
class HalvingConf:
    _target_: str = "hydra_plugins.sekft_halving.Halving"
    first: float = 0.25  # share of its steps that every setting of the grid gets
    keep: float = 0.5  # of the settings, those that go on to 1 / keep times the steps
    scenarios: str | None = "selection"  # where that is decided; the evaluation's own are kept for the last; null: the evaluation's own
    params: dict[str, str] | None = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="halving", node=HalvingConf, provider="sekft")


class Halving(BasicSweeper):
    """A grid in rungs: see sekft.train.search.halving."""

    def __init__(self, first: float, keep: float, scenarios: str | None, params: dict[str, str] | None) -> None:
        super().__init__(max_batch_size=None, params=params)
        self.first, self.keep, self.scenarios = first, keep, scenarios
        self.ladder: Any = None

    def get_job_batch(self) -> list[list[str]]:
        from sekft.errors import SettingsError
        from sekft.train.search.halving import Ladder

        if self.ladder is None:
            assert self.overrides is not None and self.config is not None
            if not self.config.eval.episodes:
                raise SettingsError("sweep=halving: no evaluation, so nothing decides; give it eval.episodes=N")
            self.ladder = Ladder.of(self.overrides[0], self.config.hydra.sweep.dir, self.first, self.keep, self.scenarios)
        return self.ladder.rung()

    def is_done(self) -> bool:
        return self.ladder is not None and self.ladder.settle()

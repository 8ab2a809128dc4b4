"""The sweeper of sweep=halving, see sekft.train.search.halving; Hydra finds sweepers only in a package named hydra_plugins."""

from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore


@dataclass
class HalvingConf:
    _target_: str = "hydra_plugins.sekft_halving.Halving"
    first: float = 0.25  # share of its steps that every setting of the grid gets
    keep: float = 0.5  # share of the settings that go on, with 1 / keep times the steps
    scenarios: str | None = "selection"  # scenarios= of all rungs but the last; null: the evaluation's own on every rung
    params: dict[str, str] | None = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="halving", node=HalvingConf, provider="sekft")


class Halving(BasicSweeper):
    """Runs a grid in rungs."""

    def __init__(self, first: float, keep: float, scenarios: str | None, params: dict[str, str] | None) -> None:
        super().__init__(max_batch_size=None, params=params)
        self.first, self.keep, self.scenarios = first, keep, scenarios
        self.search: Any = None

    def get_job_batch(self) -> list[list[str]]:
        from sekft.errors import SettingsError
        from sekft.train.search.halving import SuccessiveHalving

        if self.search is None:
            assert self.overrides is not None and self.config is not None
            if self.config.eval.episodes == 0:
                raise SettingsError("sweep=halving: no evaluation, so nothing decides; give it eval.episodes=N")
            sweep = self.config.hydra.sweep.dir
            self.search = SuccessiveHalving.from_sweep(self.overrides[0], sweep, self.first, self.keep, self.scenarios)
        return self.search.next_rung()

    def is_done(self) -> bool:
        return self.search is not None and self.search.finish_rung()

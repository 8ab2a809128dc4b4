"""The sweeper of sweep=heal, see sekft.train.search.heal; Hydra finds sweepers only in a package named hydra_plugins."""

from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore


@dataclass
class HealConf:
    _target_: str = "hydra_plugins.sekft_heal.Heal"
    iterations: int = 3  # repairs after the first training, at most
    max_s: float = 0.0  # seconds of all runs together, after which no other run begins; 0: no limit
    patience: int = 2  # repairs in a row without an improvement, at most
    enough: str | None = "promote"  # verdict in the development scenarios after which nothing is left to repair; null: no verdict is
    first: list[str] = field(default_factory=list)  # overrides of the first training only
    params: dict[str, str] | None = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="heal", node=HealConf, provider="sekft")


class Heal(BasicSweeper):
    """Runs one training after the other, each on data chosen by what the one before lost."""

    def __init__(
        self, iterations: int, max_s: float, patience: int, enough: str | None, first: list[str], params: dict[str, str] | None
    ) -> None:
        super().__init__(max_batch_size=None, params=params)
        self.limits, self.first = (iterations, max_s, patience, enough), list(first)
        self.repair: Any = None

    def get_job_batch(self) -> list[list[str]]:
        from sekft.errors import SettingsError
        from sekft.train.search.heal import IterativeRepair, Limits

        if self.repair is None:
            assert self.overrides is not None and self.config is not None
            if not self.config.repair.scenarios or self.config.eval.episodes == 0:
                raise SettingsError("sweep=heal: nothing decides; give it repair.scenarios=N and eval.episodes=N, 1 or more")
            if not any(source.kind == "trajectories" and source.path is None for source in self.config.data.sources.values()):
                raise SettingsError(
                    "sweep=heal: no data that is made anew; allowed: a source of episodes without a path, as 'data=[shell]'"
                )
            sweep = self.config.hydra.sweep.dir
            self.repair = IterativeRepair.from_sweep(self.overrides[0], sweep, self.first, Limits(*self.limits))
        return [self.repair.next_job()]

    def is_done(self) -> bool:
        return self.repair is not None and self.repair.finish_job()

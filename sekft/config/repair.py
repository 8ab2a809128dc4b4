"""The settings of repair: where an adapter is compared with what it was trained on from, and what its lost episodes decide."""

from dataclasses import dataclass


@dataclass
class RepairConfig:
    """After a training: adapter, parent (adapter=) and base in scenarios=development; docs/heal.md says what is decided there."""

    scenarios: int = 0  # how many: new scenarios of training archetypes; 0: none, and nothing is decided
    seed: int = 0  # of these scenarios; every iteration has its own
    aimed: bool = True  # the next mix of data follows the episodes lost there; false: the ordinary mix, to compare with
    tests: int = 1  # comparisons with a parent that are planned: a p value counts times so many (Bonferroni)
    after: str | None = None  # the run whose iteration.json asked for this one

"""The worlds a collection is asked for: those of the split first, then as many more as are wanted, drawn from the seed."""

from dataclasses import replace

from sekft.config import SplitConfig
from sekft.scenario.bundle import Bundle
from sekft.scenario.split import is_foreign, load


def drawn(scenarios: str, split: SplitConfig, episodes: int, seed: int) -> list[Bundle]:
    """The first `episodes` worlds, 0: all of the split. A file or folder has no further ones.

    Worlds beyond the split are of the same archetypes; with the split's own seed they are the ones the split would name next.
    """
    chosen = load(scenarios, split)
    if episodes <= len(chosen) or is_foreign(scenarios):
        return chosen[: episodes or None]
    known = {bundle.id for bundle in chosen}
    further = load(scenarios, replace(split, seed=seed, train_bundles=episodes, exam_bundles=episodes))
    return (chosen + [bundle for bundle in further if bundle.id not in known])[:episodes]

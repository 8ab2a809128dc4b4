"""The archetypes there are, and the world that an archetype, an index and a seed make."""

import importlib
import pkgutil
import random
from collections.abc import Sequence
from typing import cast

from sekft.scenario import archetype as shelf
from sekft.scenario import author, words
from sekft.scenario.bundle import Bundle

BLOCKED_EVERY = 4  # every fourth index is a blocked world


def archetypes() -> tuple[str, ...]:
    """Every module of sekft.scenario.archetype, in name order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(shelf.__path__)))


def is_blocked(index: int) -> bool:
    return index % BLOCKED_EVERY == BLOCKED_EVERY - 1


def make(archetype: str, index: int, seed: int = 0, providers: Sequence[str] = words.PROVIDERS) -> Bundle:
    """The same bytes for the same arguments, on every Python. providers: the names one is drawn from."""
    module = cast(author.Archetype, importlib.import_module(f"{shelf.__name__}.{archetype}"))
    return author.build(
        archetype,
        module,
        bundle_id=f"{archetype}-{index:04d}" if seed == 0 else f"{archetype}-s{seed}-{index:04d}",
        seed=seed,
        blocked=is_blocked(index),
        providers=providers,
        rng=random.Random(f"{seed}:{archetype}:{index}"),
    )

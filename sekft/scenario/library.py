"""The archetypes there are, and the scenario that an archetype, an index, a seed and an purpose make."""

import importlib
import pkgutil
import random
from dataclasses import dataclass
from functools import cache
from typing import cast

from sekft.scenario import archetype as shelf
from sekft.scenario import generate, words
from sekft.scenario.document import Scenario
from sekft.scenario.task import Archetype, Blocker
from sekft.scenario.taxonomy import BLOCKED_EVERY, BLOCKERS


@dataclass(frozen=True)
class Purpose:
    """What a scenario is drawn for. mark: in its id; evaluation: with names and providers that training never meets; outside: the share
    of its nouns that are invented, not of the list. Scenarios that differ in that share alone are twins, with one id."""

    mark: str
    evaluation: bool
    outside: float = 0.0


TRAIN = Purpose("s", evaluation=False)
TEST = Purpose("x", evaluation=True)  # the frozen set, when it was drawn
DRAWN = Purpose("d", evaluation=True)  # an evaluation for a split of one's own
FRESH = Purpose("f", evaluation=True)
UNLISTED = Purpose("u", evaluation=True, outside=1.0)
DEVELOPMENT = Purpose("v", evaluation=False)  # as CHOOSING: whose lost episodes say what is learned next, and where that is compared
SELECTION = Purpose("c", evaluation=False)  # what an adapter is chosen by while it learns: of the side of training, and never trained on


@cache
def archetypes() -> tuple[str, ...]:
    """Every module of sekft.scenario.archetype, in name order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(shelf.__path__)))


def module(archetype: str) -> Archetype:
    return cast(Archetype, importlib.import_module(f"{shelf.__name__}.{archetype}"))


def is_blocked(index: int) -> bool:
    return index % BLOCKED_EVERY == BLOCKED_EVERY - 1


def stop(archetype: str, index: int) -> Blocker:
    """What is to block this scenario; every archetype starts the round elsewhere."""
    return BLOCKERS[(index // BLOCKED_EVERY + sum(archetype.encode())) % len(BLOCKERS)] if is_blocked(index) else Blocker.none


def make(archetype: str, index: int, seed: int = 0, purpose: Purpose = TRAIN) -> Scenario:
    """The same bytes for the same arguments, on every machine and Python: all chance comes from the id."""
    mark = "" if purpose is TRAIN and seed == 0 else f"{purpose.mark}{seed}-"
    scenario_id = f"{archetype}-{mark}{index:04d}"
    rng = random.Random(scenario_id)
    nouns = words.noun_list(random.Random(f"{scenario_id}/outside"), purpose.outside)
    providers = words.TEST_PROVIDERS if purpose.evaluation else (words.provider_name(random.Random(f"{scenario_id}/keeper")),)
    request = generate.ScenarioRequest(scenario_id, archetype, seed, stop(archetype, index), purpose.evaluation, providers, nouns)
    while (scenario := generate.build(request, module(archetype), rng)) is None:
        pass
    return scenario

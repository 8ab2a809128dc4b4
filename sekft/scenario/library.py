"""The archetypes, and the scenario that an archetype, an index, a seed and a purpose determine."""

import importlib
import pkgutil
import random
from dataclasses import dataclass
from functools import cache
from typing import cast

import sekft.scenario.archetype as archetype_package
from sekft.scenario import generate, words
from sekft.scenario.document import Scenario
from sekft.scenario.task import Archetype, Blocker
from sekft.scenario.taxonomy import BLOCKED_EVERY, BLOCKERS


@dataclass(frozen=True)
class Purpose:
    """What scenarios are drawn for.

    mark: part of their ids; evaluation: whether names and providers are those that training never uses; outside: the share of the nouns
    that are invented instead of taken from the word list. Scenarios that differ in that share alone have the same id.
    """

    mark: str
    evaluation: bool
    outside: float = 0.0


TRAIN = Purpose("s", evaluation=False)
TEST = Purpose("x", evaluation=True)  # the frozen set
DRAWN = Purpose("d", evaluation=True)  # the test set of a split with other held-out archetypes
FRESH = Purpose("f", evaluation=True)
UNLISTED = Purpose("u", evaluation=True, outside=1.0)
DEVELOPMENT = Purpose("v", evaluation=False)  # as SELECTION; for decisions between trainings: their lost episodes name what is trained next
SELECTION = Purpose("c", evaluation=False)  # chooses a checkpoint: archetypes and names of training, never trained on


@cache
def archetypes() -> tuple[str, ...]:
    """Every module of sekft.scenario.archetype, in name order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(archetype_package.__path__)))


def module(archetype: str) -> Archetype:
    """The module of an archetype, which fits the protocol."""
    return cast(Archetype, importlib.import_module(f"{archetype_package.__name__}.{archetype}"))


def is_blocked(index: int) -> bool:
    """Whether the scenarios of this index are blocked: every fourth is."""
    return index % BLOCKED_EVERY == BLOCKED_EVERY - 1


def blocker(archetype: str, index: int) -> Blocker:
    """What blocks the scenario, if anything; blockers take turns, and each archetype starts with another one."""
    return BLOCKERS[(index // BLOCKED_EVERY + sum(archetype.encode())) % len(BLOCKERS)] if is_blocked(index) else Blocker.none


def make(archetype: str, index: int, seed: int = 0, purpose: Purpose = TRAIN) -> Scenario:
    """Make a scenario; the same arguments give the same bytes on every machine and Python, as all randomness is seeded by the id."""
    mark = "" if purpose is TRAIN and seed == 0 else f"{purpose.mark}{seed}-"
    scenario_id = f"{archetype}-{mark}{index:04d}"
    rng = random.Random(scenario_id)
    nouns = words.noun_list(random.Random(f"{scenario_id}/outside"), purpose.outside)
    providers = words.TEST_PROVIDERS if purpose.evaluation else (words.provider_name(random.Random(f"{scenario_id}/keeper")),)
    request = generate.ScenarioRequest(scenario_id, archetype, seed, blocker(archetype, index), purpose.evaluation, providers, nouns)
    while (scenario := generate.build(request, module(archetype), rng)) is None:
        pass
    return scenario

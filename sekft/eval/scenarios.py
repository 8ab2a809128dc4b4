"""In which scenarios a run is evaluated, said in a line each: in the evaluation, while it learns, and beside its parent."""

from dataclasses import replace
from typing import Any

from sekft.cli.console import echo
from sekft.config import TrainConfig
from sekft.scenario.document import Scenario
from sekft.scenario.split import describe, digest, load


def eval_scenarios(settings: Any) -> tuple[Scenario, ...]:
    """The first eval.episodes scenarios of the stored order."""
    if not settings.eval.episodes:
        return ()
    scenarios = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes)
    echo(describe(scenarios, settings.scenarios, settings.split))
    return tuple(scenarios)


def selection_scenarios(settings: TrainConfig) -> tuple[Scenario, ...]:
    """What the adapter is evaluated on while it learns; see sekft.train.selection."""
    if not settings.eval.every_steps:
        return ()
    scenarios = load("selection", settings.split, amount=settings.eval.selection_scenarios)
    archetypes = len({scenario.archetype for scenario in scenarios})
    every = f"every {settings.eval.every_steps} steps"
    echo(f"selection: {len(scenarios)} scenarios of {archetypes} training archetypes {every}, sha256 {digest(scenarios)[:16]}")
    return tuple(scenarios)


def development_scenarios(settings: TrainConfig) -> tuple[Scenario, ...]:
    """What it is compared in with its parent, see sekft.train.search.iteration."""
    config = replace(settings.eval, episodes=settings.repair.scenarios)
    return eval_scenarios(replace(settings, scenarios="development", seed=settings.repair.seed, eval=config))

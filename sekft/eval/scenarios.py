"""The scenarios of a run's evaluations: at the end, during training, and after training beside the parent adapter."""

from dataclasses import replace
from typing import Any

from sekft.cli.console import echo
from sekft.config import TrainConfig
from sekft.scenario.document import Scenario
from sekft.scenario.split import describe, digest, load


def eval_scenarios(settings: Any) -> tuple[Scenario, ...]:
    """The first eval.episodes scenarios of the stored order; prints which they are."""
    if not settings.eval.episodes:
        return ()
    scenarios = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes)
    echo(describe(scenarios, settings.scenarios, settings.split, settings.eval.episodes))
    return tuple(scenarios)


def selection_scenarios(settings: TrainConfig) -> tuple[Scenario, ...]:
    """The scenarios that choose a checkpoint (sekft.train.selection); none without eval.every_steps."""
    if not settings.eval.every_steps:
        return ()
    scenarios = load("selection", settings.split, amount=settings.eval.selection_scenarios)
    archetypes = len({scenario.archetype for scenario in scenarios})
    every = f"every {settings.eval.every_steps} steps"
    echo(f"selection: {len(scenarios)} scenarios of {archetypes} training archetypes {every}, sha256 {digest(scenarios)[:16]}")
    return tuple(scenarios)


def development_scenarios(settings: TrainConfig) -> tuple[Scenario, ...]:
    """The scenarios that decide between the adapter and its parent (sekft.train.search.iteration); none by default."""
    config = replace(settings.eval, episodes=settings.repair.scenarios)
    return eval_scenarios(replace(settings, scenarios="development", seed=settings.repair.seed, eval=config))

"""In which worlds a run is examined, said in a line each: in the exam, while it learns, and beside its parent."""

from dataclasses import replace
from typing import Any

from sekft.cli.console import echo
from sekft.config import TrainConfig
from sekft.scenario.document import Bundle
from sekft.scenario.split import digest, line, load


def exam_bundles(settings: Any) -> tuple[Bundle, ...]:
    """The first eval.episodes worlds of the stored order."""
    if not settings.eval.episodes:
        return ()
    bundles = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes)
    echo(line(bundles, settings.scenarios, settings.split))
    return tuple(bundles)


def choosing_bundles(settings: TrainConfig) -> tuple[Bundle, ...]:
    """What the adapter is examined on while it learns; see sekft.train.selection."""
    if not settings.eval.every_steps:
        return ()
    bundles = load("choosing", settings.split, amount=settings.eval.choosing_worlds)
    archetypes = len({bundle.archetype for bundle in bundles})
    every = f"every {settings.eval.every_steps} steps"
    echo(f"choosing: {len(bundles)} worlds of {archetypes} training archetypes {every}, sha256 {digest(bundles)[:16]}")
    return tuple(bundles)


def development_bundles(settings: TrainConfig) -> tuple[Bundle, ...]:
    """What it is compared in with its parent, see sekft.train.search.iteration."""
    limits = replace(settings.eval, episodes=settings.repair.worlds)
    return exam_bundles(replace(settings, scenarios="development", seed=settings.repair.seed, eval=limits))

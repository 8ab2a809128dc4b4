"""Which files and folders decide a run by what is in them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sekft.config import EvalVerbConfig, TrainConfig
from sekft.model.locate import base_folder
from sekft.scenario.split import is_foreign


def of_training(settings: TrainConfig) -> list[Path]:
    """The data, the base, what is trained on from, the worlds of the exam. Worlds that are drawn follow from settings and code."""
    named = [*(source.path for source in settings.data.sources.values()), settings.trainer.resume_from]
    return [*_of_exam(settings), *(Path(path) for path in named if path)]


def of_exam(settings: EvalVerbConfig) -> list[Path]:
    """What an endpoint answers with is not seen."""
    return list(_of_exam(settings))


def _of_exam(settings: TrainConfig | EvalVerbConfig) -> Iterator[Path]:
    yield base_folder(settings.model, weights=True)
    adapters = settings.adapter.values() if isinstance(settings.adapter, Mapping) else [settings.adapter]
    named = [*adapters, settings.model.template, settings.scenarios if is_foreign(settings.scenarios) else None]
    yield from (Path(str(path)) for path in named if path)

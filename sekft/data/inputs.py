"""Which files and folders decide a run by what is in them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sekft.config import DataConfig, EvalCommandConfig, Suite, TrainConfig
from sekft.data.files import find_files
from sekft.data.sources import source_files
from sekft.errors import DataError
from sekft.model.locate import base_folder
from sekft.scenario.split import is_foreign


def training_inputs(settings: TrainConfig) -> list[Path]:
    """The data, the base, what is trained on from, the scenarios of the evaluation. Scenarios that are drawn follow from settings and code."""
    resumed = [Path(settings.trainer.resume_from)] if settings.trainer.resume_from else []
    parent = [Path(settings.parent) / "adapter"] if settings.parent else []
    asked = [Path(settings.repair.after) / "iteration.json"] if settings.repair.after else []
    return [*_of_eval(settings), *_of_sources(settings.data), *resumed, *parent, *asked]


def eval_inputs(settings: EvalCommandConfig) -> list[Path]:
    """What an endpoint answers with is not seen."""
    return list(_of_eval(settings))


def _of_sources(data: DataConfig) -> Iterator[Path]:
    """The files that are read; the path as it stands where there are none, which the job itself will say."""
    for name, source in data.sources.items():
        if source.path:
            try:
                yield from source_files(name, source)
            except DataError:
                yield Path(source.path)


def _of_eval(settings: TrainConfig | EvalCommandConfig) -> Iterator[Path]:
    yield base_folder(settings.model, weights=True)
    adapters = settings.adapter.values() if isinstance(settings.adapter, Mapping) else [settings.adapter]
    adapters = [_current(path) for path in adapters if path]
    named = [*adapters, settings.model.template, settings.scenarios if is_foreign(settings.scenarios) else None]
    yield from (Path(str(path)) for path in named if path)
    if settings.eval.suite is not Suite.none:
        yield from find_files(settings.eval.suite_path, (".txt",))


def _current(adapter: str) -> Path:
    """Of a stage of releases the one that counts now."""
    there = Path(adapter) / "current"
    return there.resolve() if there.is_symlink() else Path(adapter)

"""The files and folders whose content decides the result of a training or an evaluation."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sekft.config import DataConfig, EvalCommandConfig, Suite, TrainConfig
from sekft.data.files import find_files
from sekft.data.sources import source_files
from sekft.errors import DataError
from sekft.model.locate import base_folder
from sekft.scenario.split import is_foreign


def training_inputs(settings: TrainConfig) -> list[Path]:
    """Base, adapters, scenarios of the user's own, files of the sources, checkpoint and parent run of a training.

    Generated scenarios are not among them: they follow from settings and code.
    """
    resumed = [Path(settings.trainer.resume_from)] if settings.trainer.resume_from else []
    parent = [Path(settings.parent) / "adapter"] if settings.parent else []
    repaired = [Path(settings.repair.after) / "iteration.json"] if settings.repair.after else []
    return [*_eval_files(settings), *_data_files(settings.data), *resumed, *parent, *repaired]


def eval_inputs(settings: EvalCommandConfig) -> list[Path]:
    """Base, adapters and scenarios of an evaluation; the model behind an endpoint is not a file and not among them."""
    return list(_eval_files(settings))


def _data_files(data: DataConfig) -> Iterator[Path]:
    """The files of every source; the path as given if there are none, which the job itself refuses."""
    for name, source in data.sources.items():
        if source.path:
            try:
                yield from source_files(name, source)
            except DataError:
                yield Path(source.path)


def _eval_files(settings: TrainConfig | EvalCommandConfig) -> Iterator[Path]:
    yield base_folder(settings.model, weights=True)
    adapters = settings.adapter.values() if isinstance(settings.adapter, Mapping) else [settings.adapter]
    adapters = [_current_release(path) for path in adapters if path]
    paths = [*adapters, settings.model.template, settings.scenarios if is_foreign(settings.scenarios) else None]
    yield from (Path(str(path)) for path in paths if path)
    if settings.eval.suite is not Suite.none:
        yield from find_files(settings.eval.suite_path, (".txt",))


def _current_release(adapter: str) -> Path:
    """The adapter's folder; of a folder of releases the one that `current` links to."""
    current = Path(adapter) / "current"
    return current.resolve() if current.is_symlink() else Path(adapter)

"""A copy of a run's metrics in TensorBoard's event files, written by tensorboardX: one folder per run, no account and no network."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sekft.config import TrackerConfig
from sekft.errors import SettingsError
from sekft.tracking import names
from sekft.tracking.files import plain
from sekft.tracking.mirror import Labels, NoMirror


class TensorBoardMirror(NoMirror):
    """Scalars, the settings and results as texts, and one text per episode; no files are stored."""

    def __init__(self, message: str, writer: Any) -> None:
        super().__init__(message)
        self._writer = writer

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def summary(self, values: Mapping[str, Any]) -> None:
        self._writer.add_text("summary", _markdown(values), 0)

    def episodes(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for at, row in enumerate(rows):
            self._writer.add_text(f"episodes/{row['agent']}", _markdown(row), at)

    def close(self, exit_code: int) -> None:
        self._writer.close()


def start(tracker: TrackerConfig, settings: Mapping[str, Any], labels: Labels) -> TensorBoardMirror:
    """Open the folder of a run's events. Raises SettingsError if tensorboardX is not installed."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise SettingsError(
            "tracker=tensorboard: the package tensorboardX is not installed; pip install tensorboardX, or tracker=wandb or none"
        ) from None
    given = names.given(tracker)
    name, group = given.name or labels.folder.name, given.group or labels.group
    job = labels.folder.name if given.name and labels.group else None  # a sweep's jobs share a name
    folder = Path(tracker.folder).joinpath(*filter(None, (group, name, job)))
    writer = SummaryWriter(str(folder))
    about = {"tags": [*labels.tags, *given.tags], "notes": given.notes, "record": str(labels.folder), "command": labels.job_type}
    writer.add_text("run", _markdown({**about, "settings": settings}), 0)
    return TensorBoardMirror(f"TensorBoard: {folder}; see it with `tensorboard --logdir {tracker.folder}`.", writer)


def _markdown(values: Mapping[str, Any]) -> str:
    """Names and values in Markdown, the values as code."""
    cells = {name: plain(value) for name, value in values.items() if value is not None}
    shown = {name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1) for name, value in cells.items()}
    return "\n\n".join(f"**{name}**\n\n" + "\n".join(f"    {line}" for line in value.splitlines()) for name, value in shown.items())

"""A training done by other processes, of this machine, of Ray or of Slurm, and shown in the run of this one."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sekft.config import TrainConfig
from sekft.config.where import Where
from sekft.data.recipe import PreparedData
from sekft.errors import WhereError
from sekft.tracking import heartbeat
from sekft.tracking.tracked import Tracked
from sekft.train import handover
from sekft.where import submission, torchrun
from sekft.where.work import Work, cancelling, last_line, python

Say = Callable[[str], None]
POLL_S = 0.2


def work(settings: TrainConfig, run: Path) -> Work:
    folder = run / handover.FOLDER
    command = (python(), "-c", f"from sekft.train.run import part; part({str(folder)!r})")
    return Work(f"sekft-train-{run.name}", command, folder, settings.where.options)


def train(settings: TrainConfig, made: PreparedData, track: Tracked, say: Say) -> Mapping[str, Any]:
    """What it ended with, see handed.Telling.trained. Raises WhereError, with the line that a process refused with."""
    from sekft.train import batch_plan

    asked, steps = work(settings, track.folder), batch_plan.planned(settings.trainer, len(made.training))
    handover.hand_over(asked.folder, settings, made)
    if settings.where.train is Where.torchrun:
        handle = torchrun.start(asked, settings.where.processes)
        say(f"training: in {settings.where.processes} processes, {handle.id}; their output: {asked.folder}")
    else:
        handle = submission.submit(settings.where.train, asked, track.folder)
        say(f"training: {settings.where.train} has it as {handle.id}; its output: {asked.output}")
    heard = handover.Heard(asked.folder)
    with cancelling(handle):
        ended = trained = None
        while ended is None:
            try:
                ended = handle.ended(POLL_S)
            except WhereError as error:
                _hear(heard, steps, track, say)  # a refusal says more
                raise error
            trained = _hear(heard, steps, track, say) or trained
    trained = _hear(heard, steps, track, say) or trained
    if trained is None:
        raise WhereError(f"where.train={settings.where.train}: ended with status {ended}: {last_line(asked.output) or asked.output}")
    submission.ended(track.folder)
    return trained


def _hear(heard: handover.Heard, steps: int, track: Tracked, say: Say) -> Mapping[str, Any] | None:
    """Passes on what was told; what it ended with, if that was. Raises WhereError for a refusal."""
    trained = None
    for what, value in heard:
        match what:
            case "log":
                track.log(value["metrics"], value["step"])
                heartbeat.progress(value["step"], steps, "steps")
            case "adapter":
                track.adapter(Path(value["folder"]), value["metadata"])
            case "said":
                say(value)
            case "refused":
                raise WhereError(value)
            case "trained":
                trained = value
    return trained


@contextmanager
def taken_over(folder: Path) -> Iterator[tuple[TrainConfig, PreparedData, handover.Telling]]:
    """Of a process that does it: one of several, if it was started so."""
    with handover.telling(folder) as track:
        settings = handover.settings_of(folder)
        from sekft.model.base import pick_device
        from sekft.train.ranks import joined

        with joined(os.environ.get(torchrun.MEETING), pick_device(settings.model.device).type):
            yield settings, handover.rows_of(folder), track

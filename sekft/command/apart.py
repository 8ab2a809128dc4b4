"""A training done by other processes, of this machine, of Ray or of Slurm, and shown in the run of this one."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sekft.command import submission
from sekft.config import TrainConfig
from sekft.config.where import Where
from sekft.data.prepare import Sets
from sekft.errors import WhereError
from sekft.tracking import heartbeat
from sekft.tracking.tracked import Tracked
from sekft.where import handed, torchrun
from sekft.where.work import Handle, Work, last_line, python

log = logging.getLogger(__name__)

Say = Callable[[str], None]
POLL_S = 0.2


def work(settings: TrainConfig, run: Path) -> Work:
    folder = run / handed.FOLDER
    command = (python(), "-c", f"from sekft.train import part; part({str(folder)!r})")
    return Work(f"sekft-train-{run.name}", command, folder, settings.where.options)


def train(settings: TrainConfig, made: Sets, track: Tracked, say: Say) -> Mapping[str, Any]:
    """What it ended with, see handed.Telling.trained. Raises WhereError, with the line that a process refused with."""
    from sekft.training import plan

    asked, steps = work(settings, track.folder), plan.planned(settings.trainer, len(made.training))
    handed.hand_over(asked.folder, settings, made)
    if settings.where.train is Where.torchrun:
        handle = torchrun.start(asked, settings.where.processes)
        say(f"training: in {settings.where.processes} processes, {handle.id}; their output: {asked.folder}")
    else:
        handle = submission.submit(settings.where.train, asked, track.folder)
        say(f"training: {settings.where.train} has it as {handle.id}; its output: {asked.output}")
    heard = handed.Heard(asked.folder)
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


def _hear(heard: handed.Heard, steps: int, track: Tracked, say: Say) -> Mapping[str, Any] | None:
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
def cancelling(handle: Handle) -> Iterator[None]:
    """What is left early, by an error or from outside, is ended there, too."""
    try:
        yield
    except BaseException:
        try:
            handle.cancel()
        except Exception:  # it may have ended: why we are here is what is to be said
            log.warning("%s could not be cancelled", handle.id, exc_info=True)
        raise


@contextmanager
def taken_over(folder: Path) -> Iterator[tuple[TrainConfig, Sets, handed.Telling]]:
    """Of a process that does it: one of several, if it was started so."""
    with handed.telling(folder) as track:
        settings = handed.settings_of(folder)
        from sekft.model.base import pick_device
        from sekft.training.ranks import joined

        with joined(os.environ.get(torchrun.MEETING), pick_device(settings.model.device).type):
            yield settings, handed.rows_of(folder), track

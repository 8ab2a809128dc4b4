"""Training in other processes, of this machine, Ray or Slurm; this process keeps the run's record."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sekft.config import TrainConfig
from sekft.config.job import Report
from sekft.config.where import Where
from sekft.data.recipe import PreparedData
from sekft.errors import WhereError
from sekft.tracking import heartbeat
from sekft.tracking.progress import ProgressLines
from sekft.tracking.tracked import TrackedRun
from sekft.train import handover
from sekft.train.handover import EventReader, EventWriter, TrainingResult
from sekft.where import submission, torchrun
from sekft.where.job_spec import JobSpec, cancel_on_error, last_line, python

POLL_S = 0.2


def job_spec(settings: TrainConfig, run: Path) -> JobSpec:
    folder = run / handover.FOLDER
    command = (python(), "-c", f"from sekft.train.run import train_from; train_from({str(folder)!r})")
    return JobSpec(f"sekft-train-{run.name}", command, folder, settings.where.options)


def train(settings: TrainConfig, rows: PreparedData, track: TrackedRun, report: Report) -> TrainingResult:
    """Start the training, copy its events into the run, and return its result.

    Raises WhereError, with the error of a process if one wrote it.
    """
    from sekft.train import batch_plan

    spec, steps = job_spec(settings, track.folder), batch_plan.total_steps(settings.trainer, len(rows.training))
    handover.write_inputs(spec.folder, settings, rows)
    if settings.where.train is Where.torchrun:
        handle = torchrun.start(spec, settings.where.processes)
        report(f"training: in {settings.where.processes} processes, {handle.id}; their output: {spec.folder}")
    else:
        handle = submission.submit(settings.where.train, spec, track.folder)
        report(f"training: submitted to {settings.where.train} as {handle.id}; its output: {spec.output}")
    events, lines = EventReader(spec.folder), ProgressLines("train", shown=True)  # there is no bar
    with cancel_on_error(handle):
        status = result = None
        while status is None:
            try:
                status = handle.wait(POLL_S)
            except WhereError as error:
                _copy(events, steps, track, report, lines)  # raises the process's own error, which is more precise
                raise error
            result = _copy(events, steps, track, report, lines) or result
    result = _copy(events, steps, track, report, lines) or result
    if result is None:
        raise WhereError(f"where.train={settings.where.train}: ended with status {status}: {last_line(spec.output) or spec.output}")
    submission.record_end(track.folder)
    return result


def _copy(events: EventReader, steps: int, track: TrackedRun, report: Report, lines: ProgressLines) -> TrainingResult | None:
    """Copy new events into the run; the result, if it is among them. Raises WhereError for the error of a process."""
    result = None
    for event, value in events:
        match event:
            case "log":
                track.log(value["metrics"], value["step"])
                heartbeat.progress(value["step"], steps, "steps")
                if "train/loss" in value["metrics"]:
                    lines.update(value["step"], steps, f"loss {value['metrics']['train/loss']:.3f}")
            case "adapter":
                track.adapter(Path(value["folder"]), value["metadata"])
            case "message":
                report(value)
            case "error":
                raise WhereError(value)
            case "result":
                result = TrainingResult(**{**value, "adapter": Path(value["adapter"])})
    return result


@contextmanager
def joined(folder: Path) -> Iterator[tuple[TrainConfig, PreparedData, EventWriter]]:
    """Settings, rows and event writer in a training process, which has joined the other ranks if there are any."""
    with handover.writing_events(folder) as events:
        settings = handover.read_settings(folder)
        from sekft.model.base import pick_device
        from sekft.train.ranks import process_group

        with process_group(os.environ.get(torchrun.RENDEZVOUS), pick_device(settings.model.device).type):
            yield settings, handover.read_rows(folder), events

"""What an evaluation would do, printed without doing it: for dry_run=true, and for remote execution without live=true."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from sekft.config import Tracker
from sekft.config.job import Job, Report
from sekft.config.where import Where
from sekft.errors import SekftError
from sekft.eval import gate, terminal
from sekft.model.locate import offline
from sekft.sandbox import choose
from sekft.scenario.split import describe, is_foreign, load
from sekft.tracking import names, wandb_mirror
from sekft.tracking.files import plain
from sekft.where import allowed, remote, submission

Part = Callable[[Any, Report], None]  # prints what one part of the run would do; the arguments are settings and report
VERDICT = "unmeasured (only planned)"


def plan(settings: Any, job: Job, report: Report) -> None:
    """The dry run of sekft.eval. Raises what a start would raise at once, and VerdictError if eval.require asks for a verdict."""
    plays = bool(settings.eval.episodes)
    parts: list[Part] = [lambda settings, report: plan_evaluation(settings, report, plays)]
    print_plan("eval", settings, job, report, parts, describe_work(settings, job))


def print_plan(command: str, settings: Any, job: Job, report: Report, parts: list[Part], work: Iterator[str]) -> None:
    """Print options, execution, every part, tracker and work; a part that only the remote machine can determine is named as such.

    Raises the first error of a part after everything else is printed, as a start would end with it.
    """
    execution = allowed.location(command, settings)
    submitted = execution in submission.BACKENDS and not allowed.trains_separately(settings)
    report(f"== plan of sekft.{command}: nothing is started, written or sent")
    report(f"options: {' '.join(job.choices)}; every setting: --cfg job")
    report(f"run: {job.folder}")
    where = settings.where
    training = f"training: {where.train}{f' in {where.processes} processes' if where.train is Where.torchrun else ''}; "
    evaluates = settings.eval.episodes or settings.eval.every_steps
    report(f"where: {training if command == 'train' else ''}evaluation: {where.eval if evaluates else 'none'}")
    obstacle: SekftError | None = None
    with offline():
        for part in parts:
            try:
                part(settings, report)
            except SekftError as error:
                obstacle = obstacle or (None if submitted else error)
                report(f"{'cannot be determined on this machine' if submitted else 'a start would end here'}: {error}")
    report(_tracker_line(settings))
    for text in work:
        report(text)
    if obstacle:
        raise obstacle
    gate.require_verdict(VERDICT, settings.eval)


def plan_evaluation(settings: Any, report: Report, plays: bool) -> None:
    """plays: whether the run needs a sandbox."""
    if settings.eval.episodes:
        scenarios = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes)
        report(describe(scenarios, settings.scenarios, settings.split, settings.eval.episodes))
        report(terminal.power_line(tuple(scenarios)))
    report(choose.describe(settings.sandbox, is_foreign(settings.scenarios)) if plays else "sandbox: none, no episode is played")


def describe_work(settings: Any, job: Job) -> Iterator[str]:
    """What would be started or submitted, word for word."""
    execution = allowed.location("eval", settings)
    if execution in submission.BACKENDS:
        yield describe_submission(execution, remote.job_spec("eval", settings, job))
    else:
        yield from describe_local_work("eval", settings, job)


def describe_submission(execution: Where, work: Any) -> str:
    return f"to be submitted:\n{json.dumps(plain(submission.describe(execution, work)), indent=2)}"


def describe_local_work(command: str, settings: Any, job: Job) -> Iterator[str]:
    """The command that a resident base would get; nothing for work in this process."""
    if allowed.location(command, settings) is Where.resident:
        yield f"to be sent to {settings.resident}: {command} {' '.join(job.overrides)}"


def _tracker_line(settings: Any) -> str:
    given = names.given(settings.tracker)
    called = f" named {given.name}" if given.name else ""
    match settings.tracker.kind:
        case Tracker.none:
            return f"tracker: none{f', a run{called}' if called else ''}"
        case Tracker.tensorboard:
            return f"TensorBoard: one folder of events{called} in {settings.tracker.folder}"
        case _:
            return f"W&B: one run{called} of project {wandb_mirror.project(settings.tracker)}, kept in {settings.tracker.folder}"

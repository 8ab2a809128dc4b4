"""What an evaluation would do, printed without doing it (dry_run=true, or a remote place without live=true)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from omegaconf import OmegaConf

from sekft.config import Tracker
from sekft.config.job import Job
from sekft.config.where import Where
from sekft.errors import SekftError
from sekft.eval import gate, show
from sekft.model.locate import offline
from sekft.sandbox import choose
from sekft.scenario.split import describe, is_foreign, load
from sekft.tracking.files import plain
from sekft.where import allowed, remote, submission

Say = Callable[[str], None]
Part = Callable[[Any, Say], None]  # prints what one part of the run would do
VERDICT = "unmeasured (only planned)"


def plan(settings: Any, job: Job, say: Say) -> None:
    """The dry run of sekft.eval. Raises what a start would raise at once, VerdictError where a verdict is required: there is none."""
    plays = bool(settings.eval.episodes)
    say_all("eval", settings, job, say, [lambda settings, say: say_eval(settings, say, plays)], say_work(settings, job))


def say_all(command: str, settings: Any, job: Job, say: Say, parts: list[Part], work: Iterator[str]) -> None:
    """Settings, place, every part, tracker and command; a part that only the remote machine can know is named so."""
    there = allowed.place(command, settings)
    far = there in submission.PLACES and not allowed.apart(settings)
    say(f"== plan of sekft.{command}: nothing is started, written or sent")
    say(OmegaConf.to_yaml(OmegaConf.create(plain(asdict(settings)))).rstrip())
    say(f"== run: {job.folder}")
    where = settings.where
    training = f"training: {where.train}{f' in {where.processes} processes' if where.train is Where.torchrun else ''}; "
    evaluated = settings.eval.episodes or settings.eval.every_steps
    say(f"where: {training if command == 'train' else ''}evaluation: {where.eval if evaluated else 'none'}")
    with offline():
        for part in parts:
            try:
                part(settings, say)
            except SekftError as error:
                if not far:
                    raise
                say(f"not to be known here: {error}")
    say(_tracker(settings))
    for text in work:
        say(text)
    say(f"scoring: none, verdict: {VERDICT}; nothing of this can be promoted")
    if not settings.dry_run:
        say(f"planned only: where={there} starts with live=true")
    gate.require_verdict(VERDICT, settings.eval)


def say_eval(settings: Any, say: Say, plays: bool) -> None:
    """plays: the run needs a sandbox."""
    if settings.eval.episodes:
        scenarios = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes)
        say(describe(scenarios, settings.scenarios, settings.split))
        say(show.power_line(tuple(scenarios)))
    say(choose.would_be(settings.sandbox, is_foreign(settings.scenarios)) if plays else "sandbox: none, nothing is played")


def say_work(settings: Any, job: Job) -> Iterator[str]:
    """What would be started or submitted, word for word."""
    there = allowed.place("eval", settings)
    if there in submission.PLACES:
        yield submitted(there, remote.work("eval", settings, job))
    else:
        yield here("eval", settings, job)


def submitted(there: Where, work: Any) -> str:
    return f"to be submitted:\n{json.dumps(plain(submission.described(there, work)), indent=2)}"


def here(command: str, settings: Any, job: Job) -> str:
    """The command, in this process or in the resident one."""
    if allowed.place(command, settings) is Where.resident:
        return f"to be sent to {settings.resident}: {command} {' '.join(job.overrides)}"
    return f"to be done in this process: sekft.{command} {' '.join(job.overrides)}"


def _tracker(settings: Any) -> str:
    if settings.tracker.kind is Tracker.none:
        return "W&B: off (tracker=none)."
    return f"W&B: one run of project {settings.tracker.project}, kept in {settings.tracker.folder}"

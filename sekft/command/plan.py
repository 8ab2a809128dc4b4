"""What a start would do, all of it said and none of it done. Nothing that was only planned can be promoted."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from sekft.command import apart, placed, submission
from sekft.config import Tracker
from sekft.config.where import Where
from sekft.data.prepare import How, sets
from sekft.errors import SekftError
from sekft.exam import gate, show
from sekft.model.locate import base_folder, load_tokenizer, offline
from sekft.rollout.gather import known_for, without_path
from sekft.sandbox import choose
from sekft.scenario.split import is_foreign, line, load, require_apart
from sekft.tracking.files import plain
from sekft.where import allowed, torchrun

if TYPE_CHECKING:
    from sekft.command.launch import Job

Say = Callable[[str], None]
VERDICT = "unmeasured (only planned)"


def plan(verb: str, settings: Any, job: "Job", say: Say) -> dict[str, Any]:
    """Raises what a start would raise at once, VerdictError where a verdict is required: there is none."""
    there = allowed.place(verb, settings)
    far = there in submission.PLACES and not allowed.apart(settings)
    say(f"== plan of sekft.{verb}: nothing is started, written or sent")
    say(OmegaConf.to_yaml(OmegaConf.create(plain(asdict(settings)))).rstrip())
    say(f"== run: {job.folder}")
    _say_where(verb, settings, say)
    with offline():
        for part in (_training, _exam) if verb == "train" else (_exam,):
            try:
                part(settings, say)
            except SekftError as error:
                if not far:
                    raise
                say(f"not to be known here: {error}")
    say(_tracker(settings))
    _say_work(verb, settings, job, say)
    say(f"scoring: none, verdict: {VERDICT}; nothing of this can be promoted")
    if not settings.dry_run:
        say(f"planned only: where={there} starts with live=true")
    gate.require_verdict(VERDICT, settings.eval)
    return {"verb": verb, "verdict": VERDICT}


def _say_where(verb: str, settings: Any, say: Say) -> None:
    where = settings.where
    training = f"training: {where.train}{f' in {where.processes} processes' if where.train is Where.torchrun else ''}; "
    examined = settings.eval.episodes or settings.eval.every_steps
    say(f"where: {training if verb == 'train' else ''}exam: {where.exam if examined else 'none'}")


def _training(settings: Any, say: Say) -> None:
    from sekft.training import forecast
    from sekft.training import plan as steps

    folder, tokenizer = base_folder(settings.model, weights=True), load_tokenizer(settings.model)
    say(f"base: {settings.model.name} in {folder}, {'random' if settings.model.weights == 'random' else 'pretrained'} weights")
    data = replace(settings.data, cache=False)
    for source, lives in known_for(without_path(data), load("train", settings.split), settings.split.seed):
        if not lives.exists():
            say(f"data: {settings.split.train_bundles} lives of the reference, to be played first in the sandbox, into {lives}")
            say("forecast: when these lives are there")
            return
        source.path = str(lives)
    bundles = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes) if settings.eval.episodes else []
    choosing = load("choosing", settings.split, amount=settings.eval.choosing_worlds) if settings.eval.every_steps else []
    how = How(tokenizer, settings.mask, data, settings.trainer.max_tokens, settings.seed, tuple(bundles))
    made = sets(how, lambda groups: require_apart(groups, tuple(bundles), tuple(choosing)))
    for said in made.said:
        say(said)
    say(forecast.line(folder, settings, made.training, steps.last_step(settings.trainer, len(made.training))))


def _exam(settings: Any, say: Say) -> None:
    plays = settings.eval.episodes or settings.eval.every_steps or (hasattr(settings, "data") and without_path(settings.data))
    if settings.eval.episodes:
        bundles = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes)
        say(line(bundles, settings.scenarios, settings.split))
        say(show.power_line(tuple(bundles)))
    say(choose.would_be(settings.sandbox, is_foreign(settings.scenarios)) if plays else "sandbox: none, nothing is lived")


def _tracker(settings: Any) -> str:
    if settings.tracker.kind is Tracker.none:
        return "W&B: off (tracker=none)."
    return f"W&B: one run of project {settings.tracker.project}, kept in {settings.tracker.folder}"


def _say_work(verb: str, settings: Any, job: "Job", say: Say) -> None:
    """What would be started or submitted, word for word."""
    there = allowed.place(verb, settings)
    if there is Where.resident:
        say(f"to be sent to {settings.resident}: {verb} {' '.join(job.overrides)}")
    elif there is Where.torchrun:
        told = torchrun.described(apart.work(settings, job.folder), settings.where.processes)
        say(f"to be started here, by rank:\n{json.dumps(told, indent=2)}")
    elif there in submission.PLACES:
        asked = apart.work(settings, job.folder) if verb == "train" and allowed.apart(settings) else placed.work(verb, settings, job)
        say(f"to be submitted:\n{json.dumps(plain(submission.described(there, asked)), indent=2)}")
    else:
        say(f"to be done in this process: sekft.{verb} {' '.join(job.overrides)}")

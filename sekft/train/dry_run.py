"""What a training would do, printed without doing it: data, base, forecast, evaluation, command."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sekft.config import TrainConfig
from sekft.config.job import Job, Report
from sekft.config.where import Where
from sekft.data.prepare import prepare_data
from sekft.data.recipe import DataRecipe
from sekft.episode.references import expected_files, sources_without_path
from sekft.eval.dry_run import describe_local_work, describe_submission, plan_evaluation, print_plan
from sekft.model.locate import base_folder, load_tokenizer
from sekft.scenario.split import load, require_apart
from sekft.train import batch_plan, processes
from sekft.where import allowed, remote, submission, torchrun


def plan(settings: TrainConfig, job: Job, report: Report) -> None:
    """The dry run of sekft.train. Raises what a start would raise at once, VerdictError where a verdict is required: there is none."""
    plays = bool(settings.eval.episodes or settings.eval.every_steps or sources_without_path(settings.data))
    print_plan(
        "train",
        settings,
        job,
        report,
        [plan_training, lambda settings, report: plan_evaluation(settings, report, plays)],
        describe_work(settings, job),
    )


def plan_training(settings: TrainConfig, report: Report) -> None:
    from sekft.train import forecast

    folder, tokenizer = base_folder(settings.model, weights=True), load_tokenizer(settings.model)
    report(f"base: {settings.model.name} in {folder}, {'random' if settings.model.weights == 'random' else 'pretrained'} weights")
    data = replace(settings.data, cache=False)
    for source, episodes in expected_files(sources_without_path(data), load("train", settings.split), settings.split.seed):
        if not episodes.exists():
            report(f"data: {settings.split.train_scenarios} episodes of the reference, to be played first in the sandbox, into {episodes}")
            report("forecast: when these episodes are there")
            return
        source.path = str(episodes)
    scenarios = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes) if settings.eval.episodes else []
    selection = load("selection", settings.split, amount=settings.eval.selection_scenarios) if settings.eval.every_steps else []
    how = DataRecipe(tokenizer, settings.mask, data, settings.trainer.max_tokens, settings.seed, tuple(scenarios))
    made = prepare_data(how, lambda groups: require_apart(groups, tuple(scenarios), tuple(selection)))
    for said in made.lines:
        report(said)
    report(forecast.line(folder, settings, made.training, batch_plan.last_step(settings.trainer, len(made.training))))


def describe_work(settings: TrainConfig, job: Job) -> Iterator[str]:
    """What would be started or submitted, word for word."""
    there = allowed.place("train", settings)
    if there is Where.torchrun:
        told: Any = torchrun.described(processes.work(settings, job.folder), settings.where.processes)
        yield f"to be started here, by rank:\n{json.dumps(told, indent=2)}"
    elif there in submission.PLACES:
        yield describe_submission(
            there, processes.work(settings, job.folder) if allowed.apart(settings) else remote.work("train", settings, job)
        )
    else:
        yield describe_local_work("train", settings, job)

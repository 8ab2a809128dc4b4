"""The dry run of a training: prints data, base, forecast, evaluation and command, and starts nothing."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sekft.config import TrainConfig
from sekft.config.job import Job, Report
from sekft.config.where import Where
from sekft.data.prepare import prepare_data
from sekft.data.recipe import DataRecipe
from sekft.data.sources import require_files, sources_without_path
from sekft.episode.references import expected_files
from sekft.eval.dry_run import describe_local_work, describe_submission, plan_evaluation, print_plan
from sekft.model.adapter import require_adapter
from sekft.model.locate import base_folder, load_tokenizer
from sekft.scenario.split import load, require_apart
from sekft.train import batch_plan, processes
from sekft.train.run import what_is_trained
from sekft.train.start import resolve_start
from sekft.where import allowed, remote, submission, torchrun


def plan(settings: TrainConfig, job: Job, report: Report) -> None:
    """The dry run of sekft.train. Raises what a start would raise at once, and VerdictError if eval.require asks for a verdict."""
    plays = bool(settings.eval.episodes or settings.eval.every_steps or sources_without_path(settings.data))
    print_plan(
        "train",
        settings,
        job,
        report,
        [
            lambda settings, report: plan_start(settings, job),
            plan_training,
            lambda settings, report: plan_evaluation(settings, report, plays),
        ],
        describe_work(settings, job),
    )


def plan_start(settings: TrainConfig, job: Job) -> None:
    """Raises what a start would raise for the adapter, the checkpoint, the release or the run to start from."""
    settings, _ = resolve_start(settings, job)
    require_adapter(Path(settings.adapter) if settings.adapter else None)


def plan_training(settings: TrainConfig, report: Report) -> None:
    from sekft.train import forecast

    require_files(settings.data)
    folder, tokenizer = base_folder(settings.model, weights=True), load_tokenizer(settings.model)
    weights = "random" if settings.model.weights == "random" else "pretrained"
    report(f"base: {settings.model.name} in {folder}, {weights} weights; {what_is_trained(settings.lora)}")
    data = replace(settings.data, cache=False)
    for source, episodes in expected_files(sources_without_path(data), load("train", settings.split), settings.split.seed):
        if not episodes.exists():
            report(f"data: {settings.split.train_scenarios} episodes of the reference, to be played first in the sandbox, into {episodes}")
            report("forecast: when these episodes are there")
            return
        source.path = str(episodes)
    scenarios = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes) if settings.eval.episodes else []
    selection = load("selection", settings.split, amount=settings.eval.selection_scenarios) if settings.eval.every_steps else []
    recipe = DataRecipe(tokenizer, settings.mask, data, settings.trainer.max_tokens, settings.seed, tuple(scenarios))
    rows = prepare_data(recipe, lambda groups: require_apart(groups, tuple(scenarios), tuple(selection)))
    for line in rows.lines:
        report(line)
    report(forecast.lines(folder, settings, rows.training, batch_plan.last_step(settings.trainer, len(rows.training)))[0])


def describe_work(settings: TrainConfig, job: Job) -> Iterator[str]:
    """Yields the processes, the submission or the command that would be started."""
    where = allowed.location("train", settings)
    if where is Where.torchrun:
        started = torchrun.describe(processes.job_spec(settings, job.folder), settings.where.processes)
        yield f"to be started here, by rank:\n{json.dumps(started, indent=2)}"
    elif where in submission.BACKENDS:
        separate = allowed.trains_separately(settings)
        yield describe_submission(where, processes.job_spec(settings, job.folder) if separate else remote.job_spec("train", settings, job))
    else:
        yield from describe_local_work("train", settings, job)

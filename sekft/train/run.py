"""One training run: data, base, rehearsal, masked SFT, adapter, evaluation, record."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.cli.console import detail, echo, echo_command
from sekft.config import LoraConfig, MaskRule, Schedule, Suite, Tracker, TrainConfig
from sekft.config.job import Job
from sekft.data.accounting import Counts
from sekft.data.prepare import prepare_data
from sekft.data.recipe import DataRecipe, PreparedData
from sekft.data.sample import Row
from sekft.data.sources import require_files, sources_without_path
from sekft.episode import trajectory
from sekft.episode.agent import Agent, reference
from sekft.episode.references import fill_sources
from sekft.episode.trajectory import Ending
from sekft.errors import DataError, SandboxError, SettingsError
from sekft.eval import gate, provenance, score, terminal
from sekft.eval.evaluation import Evaluation
from sekft.eval.run import answer_suite, base_episodes, evaluate, local_agents, unseen_archetypes
from sekft.eval.scenarios import development_scenarios, eval_scenarios, selection_scenarios
from sekft.eval.summary import NO_EVALUATION
from sekft.model.adapter import promotion_obstacle, require_adapter, require_fingerprint, training_scenarios
from sekft.model.locate import base_folder, load_tokenizer
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario.document import Scenario
from sekft.scenario.split import is_foreign, load, require_apart
from sekft.tracking import heartbeat
from sekft.tracking.record import CHECKPOINTS
from sekft.tracking.tracked import TrackedRun, tracked
from sekft.train import processes
from sekft.train.handover import TrainingResult
from sekft.train.search import iteration
from sekft.where import allowed

if TYPE_CHECKING:
    from torch import Tensor

    from sekft.model.base import Base
    from sekft.train.budget import Budget
    from sekft.train.handover import EventWriter


@dataclass(frozen=True)
class RunInputs:
    """Everything a training needs besides the base, checked before the base is loaded."""

    evaluation: Evaluation | None
    selection: Evaluation | None  # during training
    development: Evaluation | None  # after training, against the parent
    training: tuple[Row, ...]
    validation: tuple[Row, ...]
    counts: Counts  # of the training rows
    scenarios: tuple[str, ...]  # ids of the scenarios whose episodes are in the rows
    played_sources: tuple[str, ...]  # names of the sources whose episodes the reference played for this run


def run(settings: TrainConfig, job: Job) -> dict[str, Any]:
    """Train, evaluate and record one run; returns what is in summary.json.

    Raises VerdictError if the verdict is not the one in eval.require.
    """
    inputs = prepare(settings)
    with tracked("train", settings, job, settings.tracker) as track:
        track.add_facts(**provenance.training_facts(settings, inputs.counts, inputs.evaluation))
        clock = [time.monotonic()]
        from sekft.model import base as bases
        from sekft.train import batch_plan, forecast
        from sekft.train.budget import Budget

        if job.checkpoint:
            settings = replace(settings, trainer=replace(settings.trainer, resume_from=str(job.checkpoint)))
        if settings.trainer.resume_from:
            carry_metrics(Path(settings.trainer.resume_from), track)
        loads = bases.base_loads()
        source = base_folder(settings.model, weights=False)
        settings = forecast.decide_checkpointing(source, settings, inputs.training)
        brief, full = forecast.lines(source, settings, inputs.training, batch_plan.last_step(settings.trainer, len(inputs.training)))
        echo(brief)
        detail(full)
        budget = Budget(settings, inputs.training, track.folder, source, echo)
        base = bases.load(settings.model)
        echo(trained_line(settings, base))
        detail(base.line())
        track.add_facts(**provenance.loaded_base_facts(base))
        clock.append(time.monotonic())
        if settings.rehearsal:
            heartbeat.stage("rehearsal")
            rehearse(settings, inputs, base, track)
        heartbeat.stage("train")
        if allowed.trains_separately(settings):
            rows = PreparedData(inputs.training, inputs.validation, inputs.counts, inputs.scenarios, ())
            result = processes.train(settings, rows, track, echo)
        else:
            result = train(settings, inputs, base, track, budget)
        clock.append(time.monotonic())
        evaluation = evaluate_adapter(settings, inputs, base, result, track, budget)
        clock.append(time.monotonic())
        seconds = dict(zip(("load", "train", "eval"), (round(b - a, 3) for a, b in zip(clock, clock[1:], strict=False)), strict=True))
        data = {"supervised_tokens": inputs.counts.learned, "data": inputs.counts.summary()}
        costs = {"base_loads": bases.base_loads() - loads, **data, "seconds": seconds}
        training = {
            "choice": result.choice.document() if result.choice else None,
            "steps": result.steps,
            "val_loss": result.val_loss,
            "budget": budget.summary(),
        }
        summary: dict[str, Any] = {"command": "train", "seed": settings.seed, **training, **evaluation, **costs}
        track.write_summary(summary)
        if summary["tuned"]:
            for line in iteration.write(track.folder, settings, summary, inputs.played_sources):
                echo(line)
        if not summary["tuned"]:
            echo(f"run: {job.folder}")
        if settings.tracker.kind is not Tracker.none:
            echo(track.message)
        if summary["tuned"] and not job.sweep:
            echo_command("watch it work", watch_command(job))
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def carry_metrics(checkpoint: Path, track: TrackedRun) -> None:
    """Begin the metrics of a run that is resumed with those before its checkpoint, so that its curves begin at step 0."""
    from sekft.train.checkpoint import earlier_metrics

    try:
        track.carry(earlier_metrics(checkpoint, track.folder))
    except DataError as error:
        echo(f"the curves begin at {checkpoint.name}: {error}")


def watch_command(job: Job) -> list[str]:
    """The words of the command that shows the tuned model in a scenario."""
    model = [*(word for word in job.choices if word.startswith("model=")), *(word for word in job.overrides if word.startswith("model."))]
    return ["python", "-m", "sekft.chat", *model, f"adapter={job.folder}", "mode=shell"]


def trained_line(settings: TrainConfig, base: "Base") -> str:
    """The base, and which of its weights are trained."""
    amount = sum(parameter.numel() for parameter in base.model.parameters()) / 1e6
    what = what_is_trained(settings.lora)
    return f"base: {base.config.name} on {base.device} in {base.dtype_name()}, {amount:,.1f} M weights; {what}"


def what_is_trained(lora: LoraConfig) -> str:
    """The adapter in a clause, or that there is none and all weights of the base are trained."""
    if lora.r == 0:
        return "trained: all weights of the base, as lora.r=0 means no adapter"
    return f"trained: an adapter, r={lora.r} alpha={lora.alpha} on {lora.target_modules}"


def prepare(settings: TrainConfig) -> RunInputs:
    """Check the settings, play missing reference episodes, and render the rows. Raises a SekftError for the first problem."""
    gate.require_criterion(settings.eval)
    require_files(settings.data)
    require_adapter(Path(settings.adapter) if settings.adapter else None)
    if settings.lora.r == 0 and settings.model.load_4bit:
        raise SettingsError("model.load_4bit=true: 4-bit weights cannot be trained themselves; allowed with it: an adapter, as lora=r16")
    if settings.trainer.context_frozen and settings.mask.rule is not MaskRule.continuation:
        raise SettingsError(f"trainer.context_frozen=true: allowed with mask=continuation, found mask={settings.mask.rule.value}")
    iteration.require(settings)
    scenarios, selection, development = eval_scenarios(settings), selection_scenarios(settings), development_scenarios(settings)
    without_path = sources_without_path(settings.data)
    played_sources = tuple(name for name, source in settings.data.sources.items() if source in without_path)
    tokenizer = load_tokenizer(settings.model)
    base_folder(settings.model, weights=True)
    needs_sandbox = scenarios or selection or development or without_path
    backend = choose.backend(settings.sandbox, echo, is_foreign(settings.scenarios)) if needs_sandbox else None
    if without_path and backend is not None:
        player = choose.backend_for_references(settings.sandbox, backend, echo)
        fill_sources(without_path, load("train", settings.split), player, settings.workers, settings.split.seed)
    recipe = DataRecipe(tokenizer, settings.mask, settings.data, settings.trainer.max_tokens, settings.seed, scenarios)
    rows = prepare_data(recipe, lambda groups: require_apart(groups, scenarios, selection, development))
    for line in rows.lines:
        echo(line)
    for line in rows.counts.bars():
        detail(line)
    return RunInputs(
        evaluation=evaluation_in(scenarios, backend, settings),
        selection=evaluation_in(selection, backend, settings),
        development=evaluation_in(development, backend, settings),
        training=rows.training,
        validation=rows.validation,
        counts=rows.counts,
        scenarios=rows.groups,
        played_sources=played_sources,
    )


def evaluation_in(scenarios: tuple[Scenario, ...], backend: Backend | None, settings: TrainConfig) -> Evaluation | None:
    if backend is None or not scenarios:
        return None
    held_out, unseen = tuple(settings.split.held_out), unseen_archetypes(settings)
    return Evaluation(scenarios, backend, settings.eval, settings.workers, settings.seed, held_out, unseen)


@contextmanager
def adapter_on(base: "Base", settings: TrainConfig) -> Iterator[Any]:
    """The base with a fresh adapter, or with the one in adapter= if its fingerprint matches the base."""
    from sekft.model import lora

    if settings.adapter:
        require_fingerprint(Path(settings.adapter), base)
    parent = lora.loaded(base, Path(settings.adapter), trainable=True) if settings.adapter else None
    with parent or lora.fresh(base, settings.lora, settings.seed) as tuned:
        yield tuned


def train(
    settings: TrainConfig, inputs: RunInputs, base: "Base", track: "TrackedRun | EventWriter", budget: "Budget | None" = None
) -> TrainingResult:
    """Train and save the adapter, load it fresh, and check that it reproduces the trained logits."""
    from sekft.model.lora import prove, publish
    from sekft.train import batch_plan
    from sekft.train.callbacks import LoggingCallback, PauseCallback, loss_change, validation_change
    from sekft.train.selection import SelectionCallback, play_function
    from sekft.train.trainer import make_trainer, validation_loss

    layout = batch_plan.choose_layout(settings.trainer, base.device.type)
    base_selection = base_episodes(base, inputs.selection) if inputs.selection else []
    with adapter_on(base, settings) as tuned:

        def validate(step: int) -> dict[str, float]:
            loss = validation_loss(tuned, inputs.validation, base, layout)
            return {} if loss is None else {"val/loss": loss}

        def save_best(folder: Path, step: int) -> None:
            publish(save(tuned, base, folder, settings, inputs, step)[0])

        logging = LoggingCallback(track.log, [(settings.trainer.val_every_steps, validate)])
        selection = SelectionCallback(track.folder, settings.eval, play_function(inputs.selection, base, tuned), save_best, track.log)
        selection.begin(base_selection, settings.trainer.resume_from)
        pause = PauseCallback(batch_plan.last_step(settings.trainer, len(inputs.training)))
        callbacks = [logging, *([budget] if budget else []), selection, pause]
        trainer = make_trainer(tuned, base, inputs.training, settings.trainer, track.folder / CHECKPOINTS, settings.seed, callbacks, echo)
        track.log(before := validate(0), 0)
        try:
            trainer.train(resume_from_checkpoint=settings.trainer.resume_from)
        finally:
            logging.close()
        track.log(after := validate(steps := trainer.state.global_step), steps)
        if not trainer.is_world_process_zero():  # rank 0 saves the adapter
            return TrainingResult(track.folder, steps, None, steps, None)
        choice = selection.choose(base, tuned, steps)
        step = choice.step if choice else steps
        partial, logits = save(tuned, base, track.folder / "adapter", settings, inputs, step)
    change, folder = prove(base, partial, inputs.training[0].ids, logits), publish(partial)
    track.adapter(folder, {"path": settings.model.path, "step": step, **base.fingerprint()})
    resumed = f", resumed from {Path(settings.trainer.resume_from).name}" if settings.trainer.resume_from else ""
    echo(f"{loss_change(logging.losses)} in {steps} steps{resumed}; {validation_change(before, after)}")
    chosen = f" of step {step}, {choice.why}" if choice else ""
    echo(f"adapter: {folder}{chosen} (loaded fresh: the trained logits)")
    detail(f"the adapter changes the base's logits by up to {change:.3g}")
    return TrainingResult(folder, step, choice, steps, after.get("val/loss"))


def train_from(folder: str) -> None:
    """Train in a process that was started for it, with settings and rows from a folder; see sekft.train.handover."""
    from sekft.model import base as bases

    with processes.joined(Path(folder)) as (settings, rows, events):
        inputs = RunInputs(None, None, None, rows.training, rows.validation, rows.counts, rows.groups, ())
        events.result(train(settings, inputs, bases.load(settings.model), events))


def save(tuned: Any, base: "Base", folder: Path, settings: TrainConfig, inputs: RunInputs, step: int) -> "tuple[Path, Tensor]":
    """Save the adapter under a temporary name beside `folder`; that name, and its logits (T, V) on the first training row."""
    from sekft.model import lora

    facts = {**base.fingerprint(), "mask": settings.mask.rule.value, "step": step}
    facts |= {"path": settings.model.path, **training_scenarios(inputs.scenarios, settings.adapter)}
    partial = lora.save(tuned, base, folder, facts)
    return partial, lora.probe(tuned, base, inputs.training[0].ids)


def rehearse(settings: TrainConfig, inputs: RunInputs, base: "Base", track: TrackedRun) -> None:
    """Do everything once before the long part: two steps, save and fresh load, an episode of base and adapter, a metric.

    The second step is timed; the first one allocates and compiles.
    """
    from sekft.model.lora import prove
    from sekft.train import batch_plan
    from sekft.train.budget import tokens_per_step
    from sekft.train.callbacks import StepTimer
    from sekft.train.trainer import make_trainer

    two_steps = replace(settings.trainer, max_steps=2, warmup=0.0, schedule=Schedule.constant, save_every_steps=0, resume_from=None)
    with tempfile.TemporaryDirectory(prefix="sekft-rehearsal-") as scratch:
        longest = sorted(inputs.training, key=lambda row: -len(row.ids))[: two_steps.batch * two_steps.accumulation]
        with adapter_on(base, settings) as tuned:
            timer = StepTimer()
            make_trainer(tuned, base, longest, two_steps, Path(scratch), settings.seed, [timer], echo).train()
            partial, logits = save(tuned, base, Path(scratch) / "adapter", settings, inputs, step=2)
        prove(base, partial, inputs.training[0].ids, logits)
        step_s = timer.seconds[-1]
        track.log({"rehearsal/step_seconds": step_s}, 0)
        if evaluation := inputs.evaluation or inputs.selection:
            rehearse_episodes(evaluation, base, partial)
    steps = batch_plan.last_step(settings.trainer, len(inputs.training))
    played = ", one episode each" if inputs.evaluation or inputs.selection else ""
    lengths = [len(row.ids) for row in inputs.training]
    tokens = sum(islice(tokens_per_step(lengths, settings.trainer, settings.seed), steps))
    expected = step_s * tokens / sum(len(row.ids) for row in longest)
    echo(f"rehearsal: two steps, one adapter{played}: fine. About {expected:,.0f} s for {steps} steps")
    detail(f"rehearsal: at most {steps * step_s:,.0f} s for {steps} steps; {base.memory_line()}")
    if inputs.evaluation:
        echo(terminal.power_line(inputs.evaluation.scenarios))


def rehearse_episodes(evaluation: Evaluation, base: "Base", adapter: Path) -> None:
    """Play two turns of one scenario with base and adapter. Raises SandboxError if an episode breaks."""
    from sekft.model.agents import model_agents

    short = replace(evaluation, scenarios=evaluation.scenarios[:1], config=replace(evaluation.config, max_turns=2, attempts=1))
    with model_agents(base, {"base": None, "tuned": adapter}, short.config, evaluation.seed) as models:
        episodes = short.play(models.agents, "rehearsal")
    for agent, (episode,) in episodes.items():
        if episode.ending is Ending.broken:
            raise SandboxError(f"rehearsal: {agent}'s episode broke ({episode.reason}); training was not started")


def evaluate_adapter(
    settings: TrainConfig, inputs: RunInputs, base: "Base", result: TrainingResult, track: TrackedRun, budget: "Budget"
) -> dict[str, Any]:
    """Run evaluation, development episodes and question suite while the budget lasts; returns their part of summary.json.

    Metrics are eval/<rate>, or test/<rate> if measurements during training used eval/<rate>.
    """
    if evaluation := budget.limited(inputs.evaluation):
        heartbeat.stage("eval")
        adapters, group = {"tuned": result.adapter}, "test" if result.choice else "eval"
        # the adapter's own rows hold none of these scenarios, those of its parents may
        obstacles = {"tuned": promotion_obstacle(base, result.adapter, evaluation.scenarios, echo)}
        summary = evaluate(local_agents(base, adapters, evaluation, obstacles), evaluation, track, result.step, group).document()
    else:
        summary = NO_EVALUATION.document() | budget.unmeasured()
    if inputs.development and not budget.is_late():
        play_development(inputs.development, base, settings.adapter, result.adapter, track.folder)
    if settings.eval.suite is not Suite.none and not budget.is_late():
        summary |= {"suite": answer_suite(base, {"tuned": result.adapter}, settings.eval, settings.seed, track, result.step)}
    return summary


def play_development(evaluation: Evaluation, base: "Base", parent: str | None, adapter: Path, folder: Path) -> None:
    """Play the development scenarios with base, parent, adapter and reference, and write the episodes into the run's folder."""
    from sekft.model.agents import model_agents

    episodes = base_episodes(base, evaluation, "development")
    adapters: dict[str, Path | None] = {iteration.PARENT: Path(parent)} if parent else {}
    with model_agents(base, {**adapters, score.TUNED: adapter}, evaluation.config, evaluation.seed) as models:
        agents: dict[str, Agent] = {**models.agents, score.REFERENCE: reference(evaluation.scenarios)}
        others = evaluation.play(agents, "development", tokens=models.generated)
    trajectory.write([*episodes, *(episode for own in others.values() for episode in own)], folder / iteration.DEVELOPMENT)

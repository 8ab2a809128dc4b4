"""One run: base -> data -> rehearsal -> masked SFT -> adapter -> evaluation -> tracker."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.cli.console import echo
from sekft.config import MaskRule, Schedule, Suite, TrainConfig
from sekft.config.job import Job
from sekft.data.accounting import Counts
from sekft.data.prepare import prepare_data
from sekft.data.recipe import DataRecipe, PreparedData
from sekft.data.sample import Row
from sekft.episode.references import fill_sources, sources_without_path
from sekft.episode.trajectory import Ending
from sekft.errors import SandboxError, SettingsError
from sekft.eval import gate, provenance, terminal
from sekft.eval.evaluation import Evaluation
from sekft.eval.run import answer_suite, base_episodes, evaluate, local_agents, unseen_archetypes
from sekft.eval.scenarios import development_scenarios, eval_scenarios, selection_scenarios
from sekft.eval.summary import NO_EVALUATION
from sekft.model.adapter import doubt, require_adapter
from sekft.model.locate import base_folder, load_tokenizer
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario
from sekft.scenario.split import is_foreign, load, require_apart
from sekft.tracking import heartbeat
from sekft.tracking.record import CHECKPOINTS
from sekft.tracking.tracked import Tracked, tracked
from sekft.train import processes
from sekft.train.search import iteration
from sekft.where import allowed

if TYPE_CHECKING:
    from torch import Tensor

    from sekft.model.base import Base
    from sekft.train.budget import Budget
    from sekft.train.handover import Telling as Told


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs before the base is loaded; whatever is wrong with it is said here, in seconds."""

    evaluation: Evaluation | None
    selection: Evaluation | None  # the small one, while the adapter learns
    development: Evaluation | None  # after training, beside what it was trained on from
    training: tuple[Row, ...]
    validation: tuple[Row, ...]
    counts: Counts  # of the training rows
    scenarios: tuple[str, ...]  # whose episodes are learned from or validated on
    played: tuple[str, ...]  # sources of episodes that the reference played for this run


@dataclass(frozen=True)
class Trained:
    """The adapter's folder, loaded fresh and proven; its step, how that was chosen, None without looks; all steps, validation after."""

    adapter: Path
    step: int
    choice: dict[str, Any] | None
    steps: int
    val_loss: float | None


def run(settings: TrainConfig, job: Job) -> dict[str, Any]:
    prepared = prepare(settings)
    with tracked("train", settings, job, settings.tracker) as track:
        track.know(**provenance.training_facts(settings, prepared.counts, prepared.evaluation))
        clock = [time.monotonic()]
        from sekft.model import base as bases
        from sekft.train import batch_plan, forecast
        from sekft.train.budget import Budget

        if job.checkpoint:
            settings = replace(settings, trainer=replace(settings.trainer, resume_from=str(job.checkpoint)))
        loads = bases.base_loads()
        source = base_folder(settings.model, weights=False)
        settings = forecast.settled(source, settings, prepared.training)
        echo(forecast.line(source, settings, prepared.training, batch_plan.last_step(settings.trainer, len(prepared.training))))
        budget = Budget(settings, prepared.training, track.folder, source, echo)
        base = bases.load(settings.model)
        track.know(**provenance.loaded_base_facts(base))
        clock.append(time.monotonic())
        if settings.rehearsal:
            heartbeat.stage("rehearsal")
            rehearse(settings, prepared, base, track)
        heartbeat.stage("train")
        trained = train_apart(settings, prepared, track) if allowed.apart(settings) else train(settings, prepared, base, track, budget)
        clock.append(time.monotonic())
        evaluation = evaluated(settings, prepared, base, trained, track, budget)
        clock.append(time.monotonic())
        seconds = dict(zip(("load", "train", "eval"), (round(b - a, 3) for a, b in zip(clock, clock[1:], strict=False)), strict=True))
        data = {"supervised_tokens": prepared.counts.learned, "data": prepared.counts.summary()}
        about = {"base_loads": bases.base_loads() - loads, **data, "seconds": seconds}
        learned = {"choice": trained.choice, "steps": trained.steps, "val_loss": trained.val_loss, "budget": budget.told()}
        summary: dict[str, Any] = {"command": "train", "seed": settings.seed, **learned, **evaluation, **about}
        track.summary(summary)
        if summary["tuned"]:
            for line in iteration.write(track.folder, settings, summary, prepared.played):
                echo(line)
        echo(f"run: {job.folder} (summary.json, metrics.jsonl, adapter/{', episodes.jsonl' if summary['tuned'] else ''})")
        echo(track.line)
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def prepare(settings: TrainConfig) -> Prepared:
    gate.require_criterion(settings.eval)
    require_adapter(Path(settings.adapter) if settings.adapter else None)
    if settings.lora.r == 0 and settings.model.load_4bit:
        raise SettingsError("model.load_4bit=true: 4-bit weights cannot be trained themselves; allowed with it: an adapter, as lora=r16")
    if settings.trainer.context_frozen and settings.mask.rule is not MaskRule.continuation:
        raise SettingsError(f"trainer.context_frozen=true: allowed with mask=continuation, found mask={settings.mask.rule.value}")
    iteration.require(settings)
    scenarios, selection, development = eval_scenarios(settings), selection_scenarios(settings), development_scenarios(settings)
    lacking = sources_without_path(settings.data)
    played = tuple(name for name, source in settings.data.sources.items() if source in lacking)
    tokenizer = load_tokenizer(settings.model)
    base_folder(settings.model, weights=True)
    needed = scenarios or selection or development or lacking
    backend = choose.backend(settings.sandbox, echo, is_foreign(settings.scenarios)) if needed else None
    if lacking and backend is not None:
        fill_sources(lacking, load("train", settings.split), backend, settings.workers, settings.split.seed)
    how = DataRecipe(tokenizer, settings.mask, settings.data, settings.trainer.max_tokens, settings.seed, scenarios)
    made = prepare_data(how, lambda groups: require_apart(groups, scenarios, selection, development))
    for line in made.lines:
        echo(line)
    evaluation, look, beside = (eval_in(chosen, backend, settings) for chosen in (scenarios, selection, development))
    return Prepared(evaluation, look, beside, made.training, made.validation, made.counts, made.groups, played)


def eval_in(scenarios: tuple[Scenario, ...], backend: Backend | None, settings: TrainConfig) -> Evaluation | None:
    if backend is None or not scenarios:
        return None
    held_out, unseen = tuple(settings.split.held_out), unseen_archetypes(settings)
    return Evaluation(scenarios, backend, settings.eval, settings.workers, settings.seed, held_out, unseen)


@contextmanager
def adapter_on(base: "Base", settings: TrainConfig) -> Iterator[Any]:
    """A fresh adapter, or the one to train on from, if it was trained on what is served here."""
    from sekft.model import lora

    if settings.adapter:
        lora.require_fingerprint(Path(settings.adapter), fingerprint(base.tokenizer, base.identity(), TEXT_VERSION))
    from_there = lora.loaded(base, Path(settings.adapter), trainable=True) if settings.adapter else None
    with from_there or lora.fresh(base, settings.lora, settings.seed) as tuned:
        yield tuned


def train(settings: TrainConfig, prepared: Prepared, base: "Base", track: "Tracked | Told", budget: "Budget | None" = None) -> Trained:
    from sekft.model.lora import prove, publish
    from sekft.train import batch_plan
    from sekft.train.callbacks import Pausing, Telling, change, fallen, why_of
    from sekft.train.selection import SelectionCallback, play_in
    from sekft.train.trainer import make_trainer, validation_loss

    how = batch_plan.layout(settings.trainer, base.device.type)
    played = base_episodes(base, prepared.selection) if prepared.selection else []
    with adapter_on(base, settings) as tuned:

        def validate(step: int) -> dict[str, float]:
            loss = validation_loss(tuned, prepared.validation, base, how)
            return {} if loss is None else {"val/loss": loss}

        def keep(folder: Path, step: int) -> None:
            publish(save(tuned, base, folder, settings, prepared, step)[0])

        telling = Telling(track.log, [(settings.trainer.val_every_steps, validate)])
        selection = SelectionCallback(track.folder, settings.eval, play_in(prepared.selection, base, tuned), keep, track.log)
        selection.begin(played, settings.trainer.resume_from)
        generators = [
            telling,
            *([budget] if budget else []),
            selection,
            Pausing(batch_plan.last_step(settings.trainer, len(prepared.training))),
        ]
        trainer = make_trainer(
            tuned, base, prepared.training, settings.trainer, track.folder / CHECKPOINTS, settings.seed, generators, echo
        )
        track.log(before := validate(0), 0)
        try:
            trainer.train(resume_from_checkpoint=settings.trainer.resume_from)
        finally:
            telling.close()
        track.log(after := validate(steps := trainer.state.global_step), steps)
        if not trainer.is_world_process_zero():  # the first one saves
            return Trained(track.folder, steps, None, steps, None)
        choice = selection.settle(base, tuned, steps)
        step = choice["step"] if choice else steps
        partial, trained = save(tuned, base, track.folder / "adapter", settings, prepared, step)
    moved, folder = prove(base, partial, prepared.training[0].ids, trained), publish(partial)
    track.adapter(folder, {"path": settings.model.path, "step": step, **fingerprint(base.tokenizer, base.identity(), TEXT_VERSION)})
    echo(f"{fallen(telling.losses)} in {steps} steps; {change(before, after)}")
    echo(f"adapter: {folder}{why_of(choice)} (loaded fresh it gives the trained logits; it moves the base's by up to {moved:.3g})")
    return Trained(folder, step, choice, steps, after.get("val/loss"))


def train_apart(settings: TrainConfig, prepared: Prepared, track: Tracked) -> Trained:
    """The same in processes of their own, each with its own base; see where=."""
    made = PreparedData(prepared.training, prepared.validation, prepared.counts, prepared.scenarios, ())
    told = processes.train(settings, made, track, echo)
    return Trained(**{**told, "adapter": Path(told["adapter"])})


def part(folder: str) -> None:
    """What such a process does. folder: of apart.train."""
    from sekft.model import base as bases

    with processes.taken_over(Path(folder)) as (settings, made, track):
        prepared = Prepared(None, None, None, made.training, made.validation, made.counts, made.groups, ())
        track.trained(asdict(train(settings, prepared, bases.load(settings.model), track)))


def save(tuned: Any, base: "Base", folder: Path, settings: TrainConfig, prepared: Prepared, step: int) -> "tuple[Path, Tensor]":
    """The adapter beside the name it gets when it is proven, and its logits (T, V) on the first training row."""
    from sekft.model import lora

    about = {**fingerprint(base.tokenizer, base.identity(), TEXT_VERSION), "mask": settings.mask.rule.value, "step": step}
    about |= {"path": settings.model.path, **lora.learned_from(prepared.scenarios, settings.adapter)}
    partial = lora.save(tuned, base, folder, about)
    return partial, lora.probe(tuned, base, prepared.training[0].ids)


def rehearse(settings: TrainConfig, prepared: Prepared, base: "Base", track: Tracked) -> None:
    """One step, saved and loaded fresh, one episode each for base and adapter, one log: what breaks, breaks now."""
    from sekft.model.lora import prove
    from sekft.train import batch_plan
    from sekft.train.trainer import make_trainer

    one_step = replace(settings.trainer, max_steps=1, warmup=0.0, schedule=Schedule.constant, save_every_steps=0, resume_from=None)
    with tempfile.TemporaryDirectory(prefix="sekft-rehearsal-") as scratch:
        longest = sorted(prepared.training, key=lambda row: -len(row.ids))[: one_step.batch * one_step.accumulation]
        with adapter_on(base, settings) as tuned:
            trainer = make_trainer(tuned, base, longest, one_step, Path(scratch), settings.seed, say=echo)
            started = time.monotonic()
            trainer.train()
            step_s = time.monotonic() - started
            partial, trained = save(tuned, base, Path(scratch) / "adapter", settings, prepared, step=1)
        prove(base, partial, prepared.training[0].ids, trained)
        track.log({"rehearsal/step_seconds": step_s}, 0)
        if evaluation := prepared.evaluation or prepared.selection:
            play_once(evaluation, base, partial)
    steps = batch_plan.last_step(settings.trainer, len(prepared.training))
    played = ", one episode each" if prepared.evaluation or prepared.selection else ""
    echo(f"rehearsal: one step, one adapter{played}: fine. At most {steps * step_s:,.0f} s for {steps} steps; {base.memory_line()}")
    if prepared.evaluation:
        echo(terminal.power_line(prepared.evaluation.scenarios))


def play_once(evaluation: Evaluation, base: "Base", adapter: Path) -> None:
    from sekft.model.agents import model_agents

    short = replace(evaluation, scenarios=evaluation.scenarios[:1], config=replace(evaluation.config, max_turns=2, attempts=1))
    with model_agents(base, {"base": None, "tuned": adapter}, short.config, evaluation.seed) as cast:
        episodes = short.play(cast.agents, "rehearsal")
    for agent, (episode,) in episodes.items():
        if episode.ending is Ending.broken:
            raise SandboxError(f"rehearsal: {agent}'s episode broke ({episode.reason}); training was not started")


def evaluated(
    settings: TrainConfig, prepared: Prepared, base: "Base", trained: Trained, track: Tracked, budget: "Budget"
) -> dict[str, Any]:
    """Evaluation, episodes beside the parent, questions, while the budget lasts.

    Rates are logged as eval/<rate>; as test/<rate> where eval/<rate> holds those of the evaluations during training.
    """
    from sekft.train.development import play_beside

    if left := budget.left(prepared.evaluation):
        heartbeat.stage("eval")
        adapters, group = {"tuned": trained.adapter}, "test" if trained.choice else "eval"
        doubts = {"tuned": doubt(base, trained.adapter, left.scenarios, echo)}  # of what it was trained on from; its own rows are apart
        told = evaluate(local_agents(base, adapters, left, doubts), left, track, trained.step, group).document()
    else:
        told = NO_EVALUATION.document() | budget.unmeasured()
    if prepared.development and not budget.is_late():
        played = base_episodes(base, prepared.development, "development")
        play_beside(prepared.development, base, played, settings.adapter, trained.adapter, track.folder)
    if settings.eval.suite is not Suite.none and not budget.is_late():
        told |= {"suite": answer_suite(base, {"tuned": trained.adapter}, settings.eval, settings.seed, track, trained.step)}
    return told

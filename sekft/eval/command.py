"""`python -m sekft.eval`: base, adapters and reference in held-out scenarios; rates, paired comparison, verdict."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekft.cli.console import detail, echo
from sekft.config import AgentKind, EvalCommandConfig, Suite, Tracker
from sekft.config.job import Job
from sekft.episode.python_agent import load_function
from sekft.errors import SettingsError
from sekft.eval import gate, provenance
from sekft.eval.evaluation import AgentSource, Evaluation
from sekft.eval.rescore import rescore
from sekft.eval.run import (
    answer_suite,
    count_base_loads,
    endpoint_agents,
    evaluate,
    function_agents,
    load_base,
    local_agents,
    unseen_archetypes,
)
from sekft.eval.scenarios import eval_scenarios
from sekft.eval.score import NAMES
from sekft.eval.summary import NO_EVALUATION, TUNED
from sekft.model.adapter import adapter_folders, promotion_obstacle, require_adapter
from sekft.model.locate import base_folder
from sekft.sandbox import choose
from sekft.scenario.split import is_foreign
from sekft.tracking import heartbeat
from sekft.tracking.tracked import TrackedRun, tracked


def run(settings: EvalCommandConfig, job: Job) -> dict[str, Any]:
    """One run of the command; returns what it writes as summary.json."""
    if settings.rescore is not None:
        return rescore(settings, Path(settings.rescore), job)
    gate.require_criterion(settings.eval)
    if settings.eval.suite is not Suite.none and not settings.eval.episodes:
        return run_suite_alone(settings, job)
    scenarios = eval_scenarios(settings)
    if not scenarios:
        raise SettingsError("eval.episodes=0: nothing to do; allowed: 1 or more")
    adapters = adapter_folders(settings.adapter, TUNED, NAMES)
    remote = settings.agent.kind is not AgentKind.model  # the base and the adapters are names of models or of functions
    require_agents(settings, adapters)
    backend = choose.backend(settings.sandbox, echo, is_foreign(settings.scenarios))
    unseen = () if remote else unseen_archetypes(settings)
    evaluation = Evaluation(scenarios, backend, settings.eval, settings.workers, settings.seed, tuple(settings.split.held_out), unseen)
    with tracked("eval", settings, job, settings.tracker) as track:
        track.add_facts(**provenance.eval_run_facts(settings, evaluation, adapters))
        started, loads_before = time.monotonic(), 0 if remote else count_base_loads()
        used = {} if remote else track.link_adapters(adapters)
        source = named_agents(settings, adapters) if remote else load_agents(settings, adapters, evaluation, track)
        loaded = time.monotonic()
        heartbeat.stage("eval")
        summary = {"command": "eval", "seed": settings.seed, **evaluate(source, evaluation, track).document()}
        if settings.eval.suite is not Suite.none:
            summary |= {"suite": answer_suite(load_base(settings), adapters, settings.eval, settings.seed, track)}
        seconds = {"load": round(loaded - started, 3), "train": 0.0, "eval": round(time.monotonic() - loaded, 3)}
        loads = 0 if remote else count_base_loads() - loads_before
        summary |= {"base_loads": loads, "supervised_tokens": 0, "seconds": seconds, "adapters": used}
        finish(summary, settings, job, track)
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def run_suite_alone(settings: EvalCommandConfig, job: Job) -> dict[str, Any]:
    """A run with eval.episodes=0: the questions of the suite, and no episodes."""
    adapters = adapter_folders(settings.adapter, TUNED, NAMES)
    require_agents(settings, adapters)
    with tracked("eval", settings, job, settings.tracker) as track:
        base = load_base(settings)
        echo(base.line())
        track.add_facts(**provenance.loaded_base_facts(base))
        for folder in adapters.values():
            promotion_obstacle(base, folder, (), echo)
        answers = answer_suite(base, adapters, settings.eval, settings.seed, track)
        summary: dict[str, Any] = {"command": "eval", "seed": settings.seed, "verdict": NO_EVALUATION.verdict, "suite": answers}
        finish(summary, settings, job, track)
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def finish(summary: dict[str, Any], settings: EvalCommandConfig, job: Job, track: TrackedRun) -> None:
    """Write summary.json; print where the run and its mirror are."""
    track.write_summary(summary)
    echo(f"run: {job.folder}")
    if settings.tracker.kind is not Tracker.none:
        echo(track.message)


def require_agents(settings: EvalCommandConfig, folders: Mapping[str, Path]) -> None:
    """Check, before anything is loaded, that every agent exists. folders: of adapters, or names. Raises SettingsError or ModelError."""
    if settings.eval.suite is not Suite.none and settings.agent.kind is not AgentKind.model:
        raise SettingsError(f"agent={settings.agent.kind.value}: allowed with eval.suite={settings.eval.suite.value}: model")
    match settings.agent.kind:
        case AgentKind.endpoint:
            if not settings.agent.model:
                raise SettingsError("agent.model: empty; allowed: the name of a model that the server at agent.url has")
        case AgentKind.python:
            for place in (settings.agent.function, *map(str, folders.values())):
                load_function(place)
        case AgentKind.model:
            base_folder(settings.model, weights=True)
            for folder in folders.values():
                require_adapter(folder)
        case other:
            raise SettingsError(f"agent={other.value}: allowed here: model, endpoint, python; the reference is evaluated anyway")


def named_agents(settings: EvalCommandConfig, adapters: Mapping[str, Path]) -> AgentSource:
    """Agents without weights in this process: models of a server, or functions."""
    if settings.agent.kind is AgentKind.python:
        return function_agents(settings.agent.function, adapters)
    return endpoint_agents(settings, adapters)


def load_agents(settings: EvalCommandConfig, adapters: Mapping[str, Path], evaluation: Evaluation, track: TrackedRun) -> AgentSource:
    """Load the base of model=, record its facts, and check each adapter's fingerprint against it."""
    base = load_base(settings)
    echo(f"base: {base.config.name} on {base.device} in {base.dtype_name()}")
    detail(base.line())
    obstacles = {name: promotion_obstacle(base, folder, evaluation.scenarios, echo) for name, folder in adapters.items()}
    track.add_facts(**provenance.loaded_base_facts(base))
    return local_agents(base, adapters, evaluation, obstacles)

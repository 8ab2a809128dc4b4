"""`python -m sekft.eval`: the evaluation alone: base, adapter and reference go through held-out scenarios; rates, pairing, verdict."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.cli.console import echo
from sekft.cli.launch import launch
from sekft.cli.replay import replaying
from sekft.cli.sweep import Sweeps
from sekft.config import AgentKind, EvalCommandConfig, Suite
from sekft.config.job import Job
from sekft.data import inputs
from sekft.errors import SettingsError
from sekft.eval import gate, provenance, score
from sekft.eval.evaluation import AgentSource, Evaluation
from sekft.eval.scenarios import eval_scenarios
from sekft.model.locate import base_folder
from sekft.sandbox import choose
from sekft.scenario.split import is_foreign
from sekft.tracking import heartbeat
from sekft.tracking.tracked import tracked

if TYPE_CHECKING:
    pass

from sekft.eval.dry_run import plan
from sekft.eval.run import answer_suite, base_of, evaluate, loads, of_endpoint, on_base, unseen_archetypes, worth
from sekft.model.adapter import adapters_of, doubt, require_adapter


def run(settings: EvalCommandConfig, job: Job) -> dict[str, Any]:
    gate.require_criterion(settings.eval)
    if settings.eval.suite is not Suite.none and not settings.eval.episodes:
        return suite_alone(settings, job)
    scenarios = eval_scenarios(settings)
    if not scenarios:
        raise SettingsError("eval.episodes=0: nothing to do; allowed: 1 or more")
    adapters = adapters_of(settings.adapter, score.TUNED, score.NAMES)
    remote = settings.agent.kind is AgentKind.endpoint
    require_candidates(settings, {} if remote else adapters)
    backend = choose.backend(settings.sandbox, echo, is_foreign(settings.scenarios))
    unseen = () if remote else unseen_archetypes(settings)
    evaluation = Evaluation(scenarios, backend, settings.eval, settings.workers, settings.seed, tuple(settings.split.held_out), unseen)
    with tracked("eval", settings, job, settings.tracker) as track:
        track.know(**provenance.of_evaluation_run(settings, evaluation, adapters))
        started, before = time.monotonic(), loads(remote)
        used = {} if remote else track.uses(adapters)
        candidates = of_endpoint(settings, adapters) if remote else of_model(settings, adapters, evaluation)
        loaded = time.monotonic()
        track.know(**({} if remote else provenance.of_kept()))
        heartbeat.stage("eval")
        summary = {"command": "eval", "seed": settings.seed, **evaluate(candidates, evaluation, track)}
        if settings.eval.suite is not Suite.none:
            summary |= {"suite": answer_suite(base_of(settings), adapters, settings.eval, settings.seed, track)}
        seconds = {"load": round(loaded - started, 3), "train": 0.0, "eval": round(time.monotonic() - loaded, 3)}
        summary |= {"base_loads": loads(remote) - before, "supervised_tokens": 0, "seconds": seconds, "adapters": used}
        track.summary(summary)
        echo(f"run: {job.folder}")
        echo(track.line)
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def suite_alone(settings: EvalCommandConfig, job: Job) -> dict[str, Any]:
    """No episodes, only questions."""
    adapters = adapters_of(settings.adapter, score.TUNED, score.NAMES)
    require_candidates(settings, adapters)
    with tracked("eval", settings, job, settings.tracker) as track:
        base = base_of(settings)
        track.know(**provenance.of_loaded(base))
        for folder in adapters.values():
            doubt(base, folder, (), echo)
        answers = answer_suite(base, adapters, settings.eval, settings.seed, track)
        summary = {"command": "eval", "seed": settings.seed, "verdict": score.NO_EVALUATION["verdict"], "suite": answers}
        track.summary(summary)
        echo(f"run: {job.folder}")
        echo(track.line)
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def require_candidates(settings: EvalCommandConfig, folders: Mapping[str, Path]) -> None:
    """Raises SettingsError or ModelError for one that is not there, before anything is loaded."""
    if settings.eval.suite is not Suite.none and settings.agent.kind is not AgentKind.model:
        raise SettingsError(f"agent={settings.agent.kind.value}: allowed with eval.suite={settings.eval.suite.value}: model")
    match settings.agent.kind:
        case AgentKind.endpoint:
            if not settings.agent.model:
                raise SettingsError("agent.model: empty; allowed: the name the server at agent.url knows its model by")
        case AgentKind.model:
            base_folder(settings.model, weights=True)
            for folder in folders.values():
                require_adapter(folder)
        case other:
            raise SettingsError(f"agent={other.value}: allowed here: model, endpoint; the reference is evaluated anyway")


def of_model(settings: EvalCommandConfig, adapters: Mapping[str, Path], evaluation: Evaluation) -> AgentSource:
    """The base of model=, and adapters in folders."""
    base = base_of(settings)
    doubts = {name: doubt(base, folder, evaluation.scenarios, echo) for name, folder in adapters.items()}
    return on_base(base, adapters, evaluation, doubts)


def main() -> None:
    launch("eval", replaying(run), Sweeps(inputs.eval_inputs, worth=worth), plan)


if __name__ == "__main__":
    main()

"""`python -m sekft.eval rescore=RUN`: the episodes of a finished run, judged and scored by the present rules; nothing is played."""

from pathlib import Path
from typing import Any

from sekft.cli.console import echo
from sekft.cli.recorded import recorded_settings
from sekft.config import EvalCommandConfig, TrainConfig
from sekft.config.job import Job
from sekft.episode import trajectory
from sekft.episode.outcome import judged_again
from sekft.errors import DataError
from sekft.eval import score
from sekft.eval.run import EPISODES, write_report
from sekft.eval.scenarios import eval_scenarios
from sekft.eval.summary import EvaluationSummary, read_evaluation
from sekft.scenario.split import digest
from sekft.tracking import records
from sekft.tracking.records import FinishedRun
from sekft.tracking.tracked import tracked

BETTER_BUT = "hold (better, but "  # what a verdict begins with where only an obstacle keeps an adapter from being promoted
UNKNOWN = "it was not promoted when it was evaluated, and why it must not be is not recorded"


def rescore(settings: EvalCommandConfig, run: Path, job: Job) -> dict[str, Any]:
    """Write episodes, page and summary.json of a run of sekft.train or sekft.eval anew, into the folder of this job; returns the summary.

    The losses, and what was known against promoting an adapter, are taken from the run. Raises DataError for a run without an
    evaluation, and for one whose scenarios are not those of today.
    """
    found = records.read(run)
    if not isinstance(found, FinishedRun):
        raise DataError(f"rescore={run}: {found.reason}; allowed: a run of sekft.train or sekft.eval that ended well")
    before = read_evaluation(found.summary)
    if before.scenarios is None or not (run / EPISODES).exists():
        raise DataError(f"rescore={run}: a run without an evaluation; allowed: one with {EPISODES}")
    recorded = recorded_settings(run, TrainConfig if found.record.command == "train" else EvalCommandConfig, settings)
    scenarios = eval_scenarios(recorded)
    if digest(scenarios) != before.scenarios.sha256:
        raise DataError(f"rescore={run}: scenarios={recorded.scenarios} are others today; allowed: the scenarios of the run")
    played = list(trajectory.read(run / EPISODES))
    judged = [judged_again(episode) for episode in played]
    episodes = trajectory.by_agent(judged)
    with tracked("eval", settings, job, settings.tracker) as track:
        track.add_facts(rescored=str(run))
        trajectory.write(judged, track.folder / EPISODES)
        scored = score.score(
            episodes,
            scenarios,
            recorded.eval,
            {name: _obstacle(before, name) for name in score.adapter_names(episodes)},
            before.losses,
            tuple(recorded.split.held_out),
            before.unseen,
            before.titles,
        )
        write_report(episodes, scenarios, scored, track)
        changed = sum(new.outcome is not old.outcome for new, old in zip(judged, played, strict=True))
        summary = {"command": "eval", "seed": recorded.seed, "rescored": str(run), "changed_outcomes": changed}
        kept = {name: getattr(before, name) for name in ("sandbox", "scenarios", "unseen", "tokens", "remembered")}
        summary |= EvaluationSummary(**{**vars(scored.summary()), **kept}).document()
        track.write_summary(summary)
        echo(f"scored again: {len(judged)} episodes of {run}, {changed} with another outcome")
        for line in _differences(before, scored.summary()):
            echo(line)
        echo(f"run: {job.folder}")
    return summary


def _obstacle(before: EvaluationSummary, adapter: str) -> str:
    """What was known against promoting the adapter."""
    verdict = before.verdicts.get(adapter, before.verdict)
    if verdict == "promote":
        return ""
    return verdict.removeprefix(BETTER_BUT).removesuffix(")") if verdict.startswith(BETTER_BUT) else UNKNOWN


def _differences(before: EvaluationSummary, after: EvaluationSummary) -> list[str]:
    """One line per rate and agent that is another one now."""
    return [
        f"{agent} {name}: {before.agents[agent].rates[name]} -> {rate}"
        for agent, own in after.agents.items()
        for name, rate in own.rates.items()
        if agent in before.agents and (rate.k, rate.n) != (before.agents[agent].rates[name].k, before.agents[agent].rates[name].n)
    ]

"""The gate: a scenario from outside is admitted if its reference solves it and leaving at once does not, each in a fresh place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sekft.config import EvalConfig
from sekft.episode.agent import reference, scripted
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.sandbox.session import Backend
from sekft.scenario.document import Scenario, Terminal


@dataclass(frozen=True)
class Refusal:
    """reason: no_answer | unparsable | invalid | unsolvable | forgeable | broken; detail: one line."""

    reason: str
    detail: str


def refused(scenarios: Sequence[Scenario], backend: Backend, workers: int) -> dict[str, Refusal]:
    """The scenarios that are not admitted, by id."""
    if not scenarios:
        return {}
    agents = [reference(scenarios), *(scripted(scenarios, [terminal.value]) for terminal in Terminal)]
    plan = [EpisodeRequest(scenario, agent, attempt) for scenario in scenarios for attempt, agent in enumerate(agents)]
    config = EvalConfig(max_turns=max(scenario.limits.turns for scenario in scenarios))
    episodes = play_many(plan, backend, config, workers, "gate: reference, exit, panic")
    size = len(agents)
    judged = {scenario.id: _judge(*episodes[at * size : (at + 1) * size]) for at, scenario in enumerate(scenarios)}
    return {name: refusal for name, refusal in judged.items() if refusal is not None}


def _judge(solved: Trajectory, *idle: Trajectory) -> Refusal | None:
    if broken := [episode for episode in (solved, *idle) if episode.ending is Ending.broken]:
        return Refusal("broken", broken[0].reason)
    if not solved.kept:
        return Refusal("unsolvable", f"its reference ends {solved.outcome.value} ({solved.reason})")
    if accepted := [episode for episode in idle if episode.checked]:
        return Refusal("forgeable", f"its checker accepts an immediate {accepted[0].ending.value}")
    return None


def counts(refusals: Mapping[str, Refusal]) -> dict[str, int]:
    """How many were refused, by reason."""
    reasons = [refusal.reason for refusal in refusals.values()]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}

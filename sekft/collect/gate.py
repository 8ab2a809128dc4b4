"""The gate for scenarios from outside: one is admitted if it can be played, its reference solves it and an immediate exit does not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sekft.config import EvalConfig
from sekft.episode import playable
from sekft.episode.agent import reference, scripted
from sekft.episode.outcome import why_lost
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.sandbox.session import Backend
from sekft.scenario.document import Scenario, Terminal


@dataclass(frozen=True)
class Refusal:
    """Why a scenario is not admitted.

    reason: no_answer | unparsable | invalid | unplayable | unsolvable | forgeable | broken; detail: one line for a person.
    """

    reason: str
    detail: str


def refusals(scenarios: Sequence[Scenario], backend: Backend, workers: int) -> dict[str, Refusal]:
    """The refusals by scenario id; every agent plays every scenario in a fresh session."""
    if not scenarios:
        return {}
    agents = [reference(scenarios), playable.probe(scenarios), *(scripted(scenarios, [terminal.value]) for terminal in Terminal)]
    plan = [EpisodeRequest(scenario, agent, attempt) for scenario in scenarios for attempt, agent in enumerate(agents)]
    config = EvalConfig(max_turns=max(scenario.limits.turns for scenario in scenarios))
    episodes = play_many(plan, backend, config, workers, "gate: reference, probe, exit, panic")
    size = len(agents)
    judged = {scenario.id: _judge(scenario, *episodes[at * size : (at + 1) * size]) for at, scenario in enumerate(scenarios)}
    return {name: refusal for name, refusal in judged.items() if refusal is not None}


def count_by_reason(refusals: Mapping[str, Refusal]) -> dict[str, int]:
    return dict(sorted(Counter(refusal.reason for refusal in refusals.values()).items()))


def _judge(scenario: Scenario, solved: Trajectory, probed: Trajectory, *idle: Trajectory) -> Refusal | None:
    """solved: the episode of the reference; probed: of playable.probe(); idle: those that only left."""
    if broken := [episode for episode in (solved, probed, *idle) if episode.ending is Ending.broken]:
        return Refusal("broken", broken[0].reason)
    if not solved.kept:
        return Refusal("unsolvable", f"its reference ends {why_lost(solved)}")
    if accepted := [episode for episode in idle if episode.checked]:
        return Refusal("forgeable", f"its checker accepts an immediate {accepted[0].ending.value}")
    for part, fault in playable.faults(scenario, solved, probed).items():
        return Refusal("unplayable", f"{part}: {fault}")
    return None

"""The gate: a world from outside is admitted if its reference solves it and leaving at once does not, each in a fresh place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sekft.config import EvalConfig
from sekft.episode.agent import reference, scripted
from sekft.episode.pool import play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.sandbox.session import Backend
from sekft.scenario.document import Bundle, Terminal


@dataclass(frozen=True)
class Refusal:
    """reason: no_answer | unparsable | invalid | unsolvable | forgeable | broken; detail: one line."""

    reason: str
    detail: str


def refused(bundles: Sequence[Bundle], backend: Backend, workers: int) -> dict[str, Refusal]:
    """The bundles that are not admitted, by id."""
    if not bundles:
        return {}
    players = [reference(bundles), *(scripted(bundles, [terminal.value]) for terminal in Terminal)]
    plan = [(bundle, player, attempt) for bundle in bundles for attempt, player in enumerate(players)]
    limits = EvalConfig(max_turns=max(bundle.limits.turns for bundle in bundles))
    lives = play_many(plan, backend, limits, workers, "gate: reference, exit, panic")
    size = len(players)
    judged = {bundle.id: _judge(*lives[at * size : (at + 1) * size]) for at, bundle in enumerate(bundles)}
    return {name: refusal for name, refusal in judged.items() if refusal is not None}


def _judge(solved: Trajectory, *idle: Trajectory) -> Refusal | None:
    if broken := [life for life in (solved, *idle) if life.ending is Ending.broken]:
        return Refusal("broken", broken[0].reason)
    if not solved.kept:
        return Refusal("unsolvable", f"its reference ends {solved.outcome.value} ({solved.reason})")
    if accepted := [life for life in idle if life.checked]:
        return Refusal("forgeable", f"its checker accepts an immediate {accepted[0].ending.value}")
    return None


def counts(refusals: Mapping[str, Refusal]) -> dict[str, int]:
    """How many were refused, by reason."""
    reasons = [refusal.reason for refusal in refusals.values()]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}

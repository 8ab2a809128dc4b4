"""Decision points proposed for review: turns of failed episodes, with what the model types there once it is given a hint."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sekft.data.decision import Decision
from sekft.episode.agent import Agent
from sekft.episode.trajectory import Trajectory
from sekft.errors import RenderError
from sekft.rendering.messages import Message

Diverge = Callable[[Sequence[Message], str, str], float]  # (context, hint, own turn) -> nats


@dataclass(frozen=True)
class Proposal:
    """divergence: of the agent's own turn with the hint from that without it, in nats."""

    decision: Decision
    divergence: float


def from_episodes(episodes: Iterable[Trajectory], hint: str, agent: Agent, left_out: Counter[str]) -> Iterator[Decision]:
    """Every turn of an episode that is not kept where the agent, given the hint, types something else; equal turns once.

    left_out: counts what is skipped, by reason.
    """
    seen: set[str] = set()
    for episode in episodes:
        if episode.kept:
            left_out["episodes that were kept"] += 1
            continue
        for turn in (at for at, message in enumerate(episode.messages) if message.role == "assistant"):
            context, own = episode.messages[:turn], episode.messages[turn].content
            name = f"{episode.scenario_id}/{turn}-{_digest(context, own)}"
            if name in seen:
                continue
            seen.add(name)
            better = agent.reply(name, [Message(role="system", content=hint), *context]).text
            if better == own or not better.strip():
                left_out["turns that the hint does not change"] += 1
                continue
            yield Decision(id=name, context=context, continuation=better, own=own, reason=hint, scenario=episode.scenario_id)


def with_own_turns(decisions: Iterable[Decision], agent: Agent) -> Iterator[Decision]:
    """The decision points, each with the agent's own turn, generated where the file does not contain it."""
    for decision in decisions:
        own = decision.own or agent.reply(decision.id, decision.context).text
        yield decision.model_copy(update={"own": own})


def rank(decisions: Iterable[Decision], diverge: Diverge, left_out: Counter[str]) -> list[Proposal]:
    """Proposals in the order of their divergence, the largest first; 0 for one without a hint.

    left_out: counts those that cannot be rendered, by reason.
    """
    proposals = []
    for decision in decisions:
        try:
            nats = diverge(decision.context, decision.hint, decision.own) if decision.hint else 0.0
        except RenderError as error:
            left_out[str(error)] += 1
        else:
            proposals.append(Proposal(decision, nats))
    return sorted(proposals, key=lambda proposal: -proposal.divergence)


def _digest(context: Sequence[Message], own: str) -> str:
    text = "\0".join([*(f"{message.role}\1{message.content}" for message in context), own])
    return hashlib.sha256(text.encode()).hexdigest()[:8]

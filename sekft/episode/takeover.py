"""An agent under a person's control: every reply is shown before it is typed, and may be replaced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sekft.episode.agent import Agent
from sekft.rendering.messages import Message, Reply


@dataclass(frozen=True)
class TakeOver:
    """One reply that a person replaced. own: what the agent would have typed; typed: what the person typed."""

    context: tuple[Message, ...]
    own: str
    typed: str


class Watched:
    """An agent whose replies a person may replace.

    decide: gets the conversation and the agent's reply, returns the text to type; on_takeover: called with every reply that was replaced.
    """

    def __init__(self, agent: Agent, decide: Callable[[Sequence[Message], Reply], str], on_takeover: Callable[[TakeOver], None]) -> None:
        self._agent, self._decide, self._on_takeover = agent, decide, on_takeover
        self.takeovers = 0

    @property
    def name(self) -> str:
        return f"{self._agent.name}+human" if self.takeovers else self._agent.name

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        reply = self._agent.reply(episode_id, messages)
        text = self._decide(messages, reply)
        if text == reply.text:
            return reply
        self.takeovers += 1
        self._on_takeover(TakeOver(tuple(messages), reply.text, text))
        return replace(reply, text=text, full=False, reason="", cut=False)

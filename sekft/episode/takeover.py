"""An episode that a person watches: every reply is shown before it is typed, and may be replaced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sekft.episode.agent import Agent
from sekft.rendering.messages import Message, Reply


@dataclass(frozen=True)
class TakeOver:
    """What the person typed in the agent's place. own: what the agent would have typed."""

    context: tuple[Message, ...]
    own: str
    typed: str


class Watched:
    """An agent behind a person. decide: told what is on the screen and the reply, gives the text that is typed.

    taken: called once with every reply that was replaced.
    """

    def __init__(self, agent: Agent, decide: Callable[[Sequence[Message], Reply], str], taken: Callable[[TakeOver], None]) -> None:
        self._agent, self._decide, self._taken = agent, decide, taken
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
        self._taken(TakeOver(tuple(messages), reply.text, text))
        return replace(reply, text=text, full=False, reason="", cut=False)

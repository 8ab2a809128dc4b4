"""A life that a person watches: every reply is shown before it is typed, and may be replaced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sekft.episode.agent import Operator
from sekft.rendering.messages import Message, Reply


@dataclass(frozen=True)
class TakeOver:
    """What the person typed in the operator's place. own: what the operator would have typed."""

    context: tuple[Message, ...]
    own: str
    typed: str


class Watched:
    """An operator behind a person. decide: told what is on the screen and the reply, gives the text that is typed.

    taken: called once with every reply that was replaced.
    """

    def __init__(self, operator: Operator, decide: Callable[[Sequence[Message], Reply], str], taken: Callable[[TakeOver], None]) -> None:
        self._operator, self._decide, self._taken = operator, decide, taken
        self.takeovers = 0

    @property
    def name(self) -> str:
        return f"{self._operator.name}+human" if self.takeovers else self._operator.name

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        reply = self._operator.reply(life_id, messages)
        text = self._decide(messages, reply)
        if text == reply.text:
            return reply
        self.takeovers += 1
        self._taken(TakeOver(tuple(messages), reply.text, text))
        return replace(reply, text=text, full=False, reason="", cut=False)

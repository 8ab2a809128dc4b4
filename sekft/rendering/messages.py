"""Messages and their canonical form: the one both training and serving render."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sekft.errors import RenderError

CANONICAL_VERSION = 1


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Reply:
    """What an agent types. full: the context had no room for it, the episode is out of tokens; cut: by the limit of one reply.

    reason: why there is no text, or whose context is full.
    """

    text: str
    full: bool = False
    reason: str = ""
    cut: bool = False


def canonical(messages: Sequence[Message]) -> tuple[Message, ...]:
    """A leading system turn folded into the first user turn, neighbours of one role merged (joined by a newline).

    Idempotent. The result alternates user, assistant, user, ... Raises RenderError for a system turn further down,
    for nothing at all, and for a conversation that the assistant opens.
    """
    turns: list[Message] = []
    for index, message in enumerate(messages):
        if message.role == "system" and index > 0:
            raise RenderError(f"messages[{index}]: a system turn; allowed only as the first")
        role: Literal["user", "assistant"] = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1].role == role:
            turns[-1] = Message(role=role, content=f"{turns[-1].content}\n{message.content}")
        else:
            turns.append(Message(role=role, content=message.content))
    if not turns or turns[0].role != "user":
        raise RenderError(f"messages: {'the assistant speaks first' if turns else 'none'}; allowed: user first")
    return tuple(turns)


normalize_for_template = canonical  # the name the predecessors gave it

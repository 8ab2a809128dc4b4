"""Messages, and the canonical form that both training and serving render."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sekft.errors import Fault, RenderError

CANONICAL_VERSION = 1


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str

    def __getitem__(self, key: str) -> str:
        """`message["role"]`, as in the dicts of other libraries."""
        if key not in type(self).model_fields:
            raise KeyError(f"{key!r}; a message has role and content")
        return str(getattr(self, key))


@dataclass(frozen=True)
class Reply:
    """An agent's answer to a prompt."""

    text: str
    full: bool = False  # the prompt leaves no room for a reply in the context: the episode is out of tokens
    reason: str = ""  # why there is no text, or whose context is full
    cut: bool = False  # the reply reached its token limit before a stop token


def joined_parts(texts: Iterable[str]) -> str:
    """The text of a message whose content is a list of text parts, joined as neighbouring turns of one role are."""
    return "\n".join(texts)


def canonical(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages with a leading system turn folded into the first user turn and neighbours of one role joined by a newline.

    Idempotent. The result alternates user, assistant, user, ... Raises RenderError for a system turn that is not the first,
    for an empty conversation, and for one that starts with the assistant.
    """
    turns: list[Message] = []
    for index, message in enumerate(messages):
        if message.role == "system" and index > 0:
            raise RenderError(f"messages[{index}]: a system turn; allowed only as the first", Fault.messages)
        role: Literal["user", "assistant"] = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1].role == role:
            turns[-1] = Message(role=role, content=f"{turns[-1].content}\n{message.content}")
        else:
            turns.append(Message(role=role, content=message.content))
    if not turns or turns[0].role != "user":
        found = "the assistant comes first" if turns else "none"
        raise RenderError(f"messages: {found}; allowed: a user turn first", Fault.messages)
    return tuple(turns)

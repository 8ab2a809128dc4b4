"""Turns recorded elsewhere as a conversation of ours: roles that alternate, from a user's turn to an assistant's."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from sekft.config.data import System
from sekft.data.reader import ReadStats
from sekft.errors import RenderError
from sekft.rendering.messages import Message, canonical

Role = Literal["system", "user", "assistant"]
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "environment": "user",
    "tool": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"a NUL at {text.index(chr(0))}")
    return text


def _parts(content: Any) -> Any:
    """Text, or a list of parts that are all text."""
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type", "text") == "text" for part in content):
        return "".join(str(part.get("text", "")) for part in content)
    return content


Text = Annotated[str, BeforeValidator(_parts), AfterValidator(_no_nul)]


class Turn(BaseModel):
    """role: any of ROLES; fields that are not here are left unread."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "developer", "user", "human", "prompter", "environment", "tool", "assistant", "gpt", "model"]
    content: Text


def conversation(turns: Sequence[tuple[Role, str]], system: System, stats: ReadStats) -> tuple[Message, ...] | None:
    """Up to its last assistant turn; None, and counted, for one that is none. A system turn further down is what a tool said."""
    lead = next((at for at, (role, _) in enumerate(turns) if role != "system"), len(turns))
    leading = [text for _, text in turns[:lead] if text.strip() and system is System.fold]
    said = [(role if role == "assistant" else "user", text) for role, text in turns[lead:] if text.strip()]
    last = max((at for at, (role, _) in enumerate(said) if role == "assistant"), default=-1)
    if last < 0:
        stats.skip("nobody answers")
        return None
    one_system: list[tuple[Role, str]] = [("system", "\n\n".join(leading))] if leading else []
    messages = [Message(role=role, content=text) for role, text in (*one_system, *said[: last + 1])]
    try:
        made = canonical(messages)
    except RenderError as error:
        stats.skip(str(error).removeprefix("messages: ").partition(";")[0])
        return None
    stats.change("system turns left out", lead if system is System.drop else 0)
    stats.change("blank turns left out", sum(not text.strip() for _, text in turns[lead:]))
    stats.change("turns after the last answer left out", len(said) - last - 1)
    return made

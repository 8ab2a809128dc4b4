"""Converts the turns of foreign records into a conversation: canonical messages from a user turn to an assistant turn."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sekft.config.data import System
from sekft.data.reader import ReadStats
from sekft.errors import RenderError
from sekft.rendering.messages import Message, canonical

Role = Literal["system", "user", "assistant"]
RoleName = Literal["system", "developer", "user", "human", "prompter", "environment", "tool", "assistant", "gpt", "chatgpt", "model"]
ROLES: dict[RoleName, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "environment": "user",
    "tool": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
}


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"a NUL at {text.index(chr(0))}; allowed: text without NUL")
    return text


def _joined_parts(content: Any) -> Any:
    """The text of a list of text parts; anything else as it is."""
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type", "text") == "text" for part in content):
        return "".join(str(part.get("text", "")) for part in content)
    return content


Text = Annotated[str, BeforeValidator(_joined_parts), AfterValidator(_no_nul)]


class RawTurn(BaseModel):
    """A turn of a foreign record, {role, content} or ShareGPT's {from, value}. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "developer", "user", "human", "prompter", "environment", "tool", "assistant", "gpt", "chatgpt", "model"] = (
        Field(validation_alias=AliasChoices("role", "from"))
    )
    content: Text = Field(validation_alias=AliasChoices("content", "value"))

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, turn: Any) -> Any:
        if isinstance(turn, dict) and turn.get("tool_calls") and not turn.get("content"):
            raise ValueError("a tool call without text; allowed: turns of text, as sekft has no tool calling")
        return turn


def leading_system_turns(turns: Sequence[tuple[Role, str]]) -> int:
    """The number of system turns before the first other turn."""
    return next((at for at, (role, _) in enumerate(turns) if role != "system"), len(turns))


def to_conversation(turns: Sequence[tuple[Role, str]], system: System | None, stats: ReadStats) -> tuple[Message, ...] | None:
    """The turns up to the last assistant turn, in canonical form; None, and skipped in stats, if they are not a conversation.

    Leading system turns are joined or dropped, as `system` asks; None: joined. A later one is a tool's output and becomes a user turn.
    """
    leading = leading_system_turns(turns)
    system_texts = [text for _, text in turns[:leading] if text.strip() and system is not System.drop]
    spoken = [(role if role == "assistant" else "user", text) for role, text in turns[leading:] if text.strip()]
    last = max((at for at, (role, _) in enumerate(spoken) if role == "assistant"), default=-1)
    if last < 0:
        stats.skip("no assistant turn")
        return None
    opening: list[tuple[Role, str]] = [("system", "\n\n".join(system_texts))] if system_texts else []
    try:
        messages = canonical([Message(role=role, content=text) for role, text in (*opening, *spoken[: last + 1])])
    except RenderError as error:
        stats.skip(str(error).removeprefix("messages: ").partition(";")[0])
        return None
    stats.count_change("system turns dropped", leading if system is System.drop else 0)
    stats.count_change("blank turns dropped", sum(not text.strip() for _, text in turns[leading:]))
    stats.count_change("turns after the last answer dropped", len(spoken) - last - 1)
    return messages

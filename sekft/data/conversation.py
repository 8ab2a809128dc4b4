"""Converts the turns of foreign records into a conversation: canonical messages from a user turn to an assistant turn.

One normal form for every source: content that is null, missing, empty or a list of parts; roles in any case and of every tool; flags that
keep a turn from being learned. A turn that calls a tool, or holds more than text, ends the conversation before it, and is counted: without
it, what follows would answer something that was never said.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sekft.config.data import System
from sekft.data.reader import ReadStats
from sekft.errors import RenderError
from sekft.rendering.messages import Message, canonical, joined_parts

Role = Literal["system", "user", "assistant"]
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "environment": "user",
    "tool": "user",
    "function": "user",
    "ipython": "user",
    "observation": "user",
    "tool_response": "user",
    "tool_result": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
}
CALLS = frozenset(("function_call", "tool_call"))  # roles of a turn that is a call of a tool
FLAGS = ("weight", "train", "training", "trainable", "loss", "learn")  # of OpenAI, axolotl, ms-swift: 0 or false keeps a turn from learning
TEXT_PARTS = frozenset(("text", "input_text", "output_text", "audio_transcription"))
THOUGHTS = frozenset(("thinking", "reasoning", "redacted_thinking", "thought", "thoughts"))
ATTACHMENTS = ("attachments", "files", "images", "image", "audios", "videos", "audio")  # fields of a turn with what is not text
NO, YES = frozenset(("0", "0.0", "false", "no")), frozenset(("1", "1.0", "true", "yes"))


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"a NUL at {text.index(chr(0))}; allowed: text without NUL")
    return text


def _parts(content: Any) -> list[Any] | None:
    """The parts of a content that has parts; None for any other."""
    return content if isinstance(content, list) else [content] if isinstance(content, dict) and {"text", "type"} & content.keys() else None


def _kind(part: Any) -> str:
    """The type of a part; text if it has none, as of a part that is a string."""
    return str(part.get("type") or part.get("content_type") or "text") if isinstance(part, dict) else "text"


def _text(content: Any) -> Any:
    """The text of a content: of null the empty text, of parts their texts; anything else as it is."""
    if content is None:
        return ""
    parts = _parts(content)
    if parts is None or not all(isinstance(part, str | dict) for part in parts):
        return content
    kinds = [(part if isinstance(part, str) else part.get("text"), _kind(part)) for part in parts]
    texts = ["" if text is None else text for text, kind in kinds if kind in TEXT_PARTS]
    return joined_parts(texts) if all(isinstance(text, str) for text in texts) else content


def _role(role: Any) -> Any:
    """The role of a name, in any case. Raises ValueError for an unknown one."""
    name = role.strip().lower() if isinstance(role, str) else ""
    if name not in ROLES:
        raise ValueError(f"unknown role {repr(role)[:40]}; allowed: system, user, assistant, and what other tools call them")
    return ROLES[name]


def _flag(value: Any) -> bool:
    """Whether a turn is learned. Raises ValueError for a flag that is neither on nor off."""
    text = "1" if value is None else str(value).strip().lower()
    if text not in NO | YES:
        raise ValueError("neither on nor off; allowed: 0, 1, true, false")
    return text in YES


Text = Annotated[str, BeforeValidator(_text), AfterValidator(_no_nul)]


@dataclass(frozen=True)
class Turn:
    """A turn of a foreign record. foreign: what it holds that is not text, such as "a call of ls"; nothing is learned from there on."""

    role: Role
    text: str
    is_learned: bool = True
    foreign: str = ""
    has_thought: bool = False  # it had a thought beside its text, which is left out


@dataclass(frozen=True)
class Conversation:
    """Messages in canonical form. unlearned: the indices of the assistant turns that the record keeps from being learned."""

    messages: tuple[Message, ...]
    unlearned: frozenset[int] = frozenset()


class RawTurn(BaseModel):
    """A turn as foreign records write it: {role, content}, {from, value} of ShareGPT, {sender, text} of Claude. Others are ignored."""

    model_config = ConfigDict(frozen=True)

    role: Annotated[Role, BeforeValidator(_role)] = Field(validation_alias=AliasChoices("role", "from", "sender"))
    content: Text = Field("", validation_alias=AliasChoices("content", "value", "text"))
    is_learned: Annotated[bool, BeforeValidator(_flag)] = Field(True, validation_alias=AliasChoices(*FLAGS))
    foreign: str = Field("", validation_alias="\0foreign")  # set by _seen alone
    has_thought: bool = Field(False, validation_alias="\0thought")

    @model_validator(mode="before")
    @classmethod
    def _seen(cls, turn: Any) -> Any:
        if not isinstance(turn, dict):
            return turn
        seen = {key: value for key, value in turn.items() if value is not None and not (key == "content" and value == [])}
        return {**seen, "\0foreign": foreign_in(turn), "\0thought": _has_thought(turn)}

    def turn(self) -> Turn:
        return Turn(self.role, self.content, self.is_learned, self.foreign, self.has_thought)


def foreign_in(turn: Mapping[str, Any]) -> str:
    """What a turn of a foreign record holds besides text, in words; empty for a turn of text."""
    calls = turn.get("tool_calls") or turn.get("function_call")
    if calls:
        first = calls[0] if isinstance(calls, list) else calls
        function = first.get("function", first) if isinstance(first, dict) else {}
        name = function.get("name") if isinstance(function, dict) else None
        return f"a call of {name[:40]}" if isinstance(name, str) and name.isprintable() and name else "a call of a tool"
    role = turn.get("role") or turn.get("from")
    if isinstance(role, str) and role.strip().lower() in CALLS:
        return "a call of a tool"
    for part in _parts(turn.get("content") or turn.get("value")) or ():
        if isinstance(part, dict) and (kind := _kind(part)) not in TEXT_PARTS | THOUGHTS:
            calls_tool = kind in ("tool_use", "tool_call", "function_call")
            return "a call of a tool" if calls_tool else f"a part of the type {kind[:40]!r}"
    held = next((name for name in ATTACHMENTS if turn.get(name)), "")
    return f"{held}, which are not text" if held else ""


def _has_thought(turn: Mapping[str, Any]) -> bool:
    parts = _parts(turn.get("content")) or ()
    beside = any(turn.get(name) for name in ("reasoning_content", "reasoning", "thinking"))
    return beside or any(isinstance(part, dict) and _kind(part) in THOUGHTS for part in parts)


def leading_system_turns(turns: Iterable[Turn]) -> int:
    """The number of system turns before the first other turn."""
    roles = [turn.role for turn in turns]
    return next((at for at, role in enumerate(roles) if role != "system"), len(roles))


def to_messages(turns: Sequence[Turn]) -> Conversation:
    """The turns in canonical form. A message of several turns is learned only if all of them are. Raises RenderError."""
    messages = canonical([Message(role=turn.role, content=turn.text) for turn in turns])
    at, before, unlearned = -1, "", set[int]()
    for turn in turns:
        role = "assistant" if turn.role == "assistant" else "user"
        at, before = at + (role != before), role
        if role == "assistant" and not turn.is_learned:
            unlearned.add(at)
    return Conversation(messages, frozenset(unlearned))


def to_conversation(turns: Sequence[Turn], system: System | None, stats: ReadStats) -> Conversation | None:
    """The turns up to the last assistant turn, in canonical form; None, and skipped in stats, if they are not a conversation.

    It ends before the first turn that is not text alone. Leading system turns are joined or dropped, as `system` asks; None: joined. A
    later one is a tool's output and becomes a user turn.
    """
    end = next((at for at, turn in enumerate(turns) if turn.foreign), len(turns))
    foreign = turns[end].foreign if end < len(turns) else ""
    turns = turns[:end]
    leading = leading_system_turns(turns)
    system_texts = [turn.text for turn in turns[:leading] if turn.text.strip() and system is not System.drop]
    spoken = [
        Turn("assistant" if turn.role == "assistant" else "user", turn.text, turn.is_learned)
        for turn in turns[leading:]
        if turn.text.strip()
    ]
    last = max((at for at, turn in enumerate(spoken) if turn.role == "assistant"), default=-1)
    if last < 0:
        stats.skip(f"{foreign} before any answer" if foreign else "no assistant turn")
        return None
    if not any(turn.is_learned for turn in spoken[: last + 1] if turn.role == "assistant"):
        stats.skip("every answer is marked as not to be learned")
        return None
    opening = [Turn("system", "\n\n".join(system_texts))] if system_texts else []
    try:
        found = to_messages([*opening, *spoken[: last + 1]])
    except RenderError as error:
        stats.skip(str(error).removeprefix("messages: ").partition(";")[0])
        return None
    stats.count_change(f"ended before {foreign}", bool(foreign))
    stats.count_change("turns marked as not to be learned", len(found.unlearned))
    stats.count_change("thoughts dropped", sum(turn.has_thought for turn in turns))
    stats.count_change("system turns dropped", leading if system is System.drop else 0)
    stats.count_change("blank turns dropped", sum(not turn.text.strip() for turn in turns[leading:]))
    stats.count_change("turns after the last answer dropped", len(spoken) - last - 1)
    return found

"""What may be asked: OpenAI's chat completions and vLLM's tokenize, validated at the door.

Honoured: model, messages, max_tokens, max_completion_tokens, temperature, top_p, seed, stop, stream, stream_options.
Ignored, because they change no token: metadata, parallel_tool_calls, prediction, prompt_cache_key, prompt_cache_retention,
return_token_strs, safety_identifier, service_tier, store, user; of a message: name, annotations, refusal.
Taken only at the value that means nothing (n=1, tools=[], logprobs=false, ...): NEUTRAL. Everything else is refused by its name: a field
that is dropped in silence is an answer to another question. A field that is null was not given.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sekft.rendering.messages import Message
from sekft.serve.refusal import Refusal

HARMLESS = {
    "metadata", "parallel_tool_calls", "prediction", "prompt_cache_key", "prompt_cache_retention", "return_token_strs", "safety_identifier",
    "service_tier", "store", "user",
}  # fmt: skip
HARMLESS_IN_MESSAGE = {"name", "annotations", "refusal"}
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "add_generation_prompt": (True,),
    "add_special_tokens": (False,),
    "continue_final_message": (False,),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "tool_calls": ([],),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
}
MAX_STOPS = 16
T = TypeVar("T", bound="Asked")


class Given(BaseModel):
    """A shape whose further fields are looked at by name; null is not given."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        return {key: value for key, value in fields.items() if value is not None} if isinstance(fields, dict) else fields


class TextPart(Given):
    type: Literal["text"]
    text: str


class Turn(Given):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def message(self) -> Message:
        """developer is OpenAI's newer word for system; text parts are joined by newlines, as turns of one role are."""
        content = self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)
        return Message(role="system" if self.role == "developer" else self.role, content=content)


class StreamOptions(Given):
    include_usage: bool = False


class Asked(Given):
    """What both endpoints take."""

    model: str | None = None
    messages: list[Turn] = Field(min_length=1)

    def turns(self) -> list[Message]:
        return [turn.message() for turn in self.messages]


class TokenizeRequest(Asked):
    """vLLM's POST /tokenize for a conversation. model may be left out: all of them are fed the same ids."""


class ChatRequest(Asked):
    """OpenAI's POST /v1/chat/completions."""

    model: str
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0, le=1, allow_inf_nan=False)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field([], max_length=MAX_STOPS)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, stop: Any) -> Any:
        return [stop] if isinstance(stop, str) else stop


def read(body: bytes, shape: type[T], max_messages: int) -> T:
    """The request, every field of it understood. Raises Refusal 400 naming the field, what was found and what is allowed."""
    try:
        asked = shape.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None
    if len(asked.messages) > max_messages:
        raise Refusal(400, f"messages: found {len(asked.messages)} of them, allowed: at most {max_messages}", "messages")
    require_understood(asked.model_extra or {}, HARMLESS)
    for index, turn in enumerate(asked.messages):
        require_understood(turn.model_extra or {}, HARMLESS_IN_MESSAGE, f"messages[{index}].")
    if asked.messages[-1].role == "assistant":
        raise Refusal(400, f"messages[{len(asked.messages) - 1}]: the assistant spoke last; allowed last: user", "messages")
    return asked


def require_understood(fields: Mapping[str, Any], harmless: set[str], place: str = "") -> None:
    """Raises Refusal 400 for a field that would change the answer if we knew it."""
    for name, value in fields.items():
        if name in harmless:
            continue
        where = f"{place}{name[:80]!r}".replace("'", "")
        if name not in NEUTRAL:
            raise Refusal(400, f"{where}: not supported here; leave it out", where, "unsupported_parameter")
        if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in NEUTRAL[name]):
            allowed = " or ".join(repr(one) for one in NEUTRAL[name])
            raise Refusal(400, f"{where}: found {repr(value)[:80]}, allowed: {allowed}", where, "unsupported_value")


def _refusal(error: ValidationError) -> Refusal:
    """The complaint that knows most about the place, which is written as a program would: messages[0].content."""
    first = max(error.errors(include_url=False), key=lambda one: len(one["loc"]))  # of a union, the branch that was meant
    if first["type"] == "json_invalid":
        return Refusal(400, f"the body is not JSON: {first['ctx']['error']}")
    parts = [part for part in first["loc"] if not (isinstance(part, str) and ("[" in part or part == "str"))]  # a union's branches
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
    found = "" if first["type"] in ("missing", "too_long") else f", found {repr(first['input'])[:80]}"
    return Refusal(400, f"{place or 'the body'}: {first['msg'][0].lower()}{first['msg'][1:]}{found}", place or None)

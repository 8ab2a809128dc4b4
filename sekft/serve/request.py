"""Request bodies: OpenAI's chat completions and vLLM's tokenize, strictly validated.

Honoured: model, messages, max_tokens, max_completion_tokens, temperature, top_p, seed, stop, stream, stream_options.
Ignored, because they change no token: metadata, parallel_tool_calls, prediction, prompt_cache_key, prompt_cache_retention,
return_token_strs, safety_identifier, service_tier, store, user; of a message: name, annotations, refusal.
Accepted only with a value that has no effect (n=1, tools=[], logprobs=false, ...): NEUTRAL. Every other field is refused by name: silently
ignoring it would answer another request. A field that is null counts as absent.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sekft.rendering.messages import Message, joined_parts
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
T = TypeVar("T", bound="ConversationRequest")


class RequestModel(BaseModel):
    """Keeps unknown fields, which require_supported checks by name; null counts as absent."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        return {key: value for key, value in fields.items() if value is not None} if isinstance(fields, dict) else fields


class TextPart(RequestModel):
    type: Literal["text"]
    text: str


class RequestMessage(RequestModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    @model_validator(mode="before")
    @classmethod
    def _call_without_text(cls, fields: Any) -> Any:
        """With a text for a turn that only calls a tool, so that it is refused for the call and not for the lack of a text."""
        lacks = isinstance(fields, dict) and fields.get("content") is None and (fields.get("tool_calls") or fields.get("function_call"))
        return {**fields, "content": ""} if lacks else fields

    def message(self) -> Message:
        """developer is OpenAI's newer word for system; text parts are joined by newlines, as turns of one role are."""
        content = self.content if isinstance(self.content, str) else joined_parts(part.text for part in self.content)
        return Message(role="system" if self.role == "developer" else self.role, content=content)


class StreamOptions(RequestModel):
    include_usage: bool = False


class ConversationRequest(RequestModel):
    """The fields that both endpoints take."""

    model: str | None = None
    messages: list[RequestMessage] = Field(min_length=1)

    def conversation(self) -> list[Message]:
        return [message.message() for message in self.messages]


class TokenizeRequest(ConversationRequest):
    """vLLM's POST /tokenize for a conversation. model may be absent: the ids are the same for all models."""


class ChatRequest(ConversationRequest):
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


def parse(body: bytes, shape: type[T], max_messages: int) -> T:
    """The validated request. Raises Refusal 400 naming the field, what was found and what is allowed."""
    try:
        request = shape.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from None
    if len(request.messages) > max_messages:
        raise Refusal(400, f"messages: found {len(request.messages)} of them, allowed: at most {max_messages}", "messages")
    require_supported(request.model_extra or {}, HARMLESS)
    for index, message in enumerate(request.messages):
        require_supported(message.model_extra or {}, HARMLESS_IN_MESSAGE, f"messages[{index}].")
    if request.messages[-1].role == "assistant":
        raise Refusal(400, f"messages[{len(request.messages) - 1}]: found role assistant last, allowed last: user", "messages")
    return request


def require_supported(fields: Mapping[str, Any], harmless: set[str], prefix: str = "") -> None:
    """Raise Refusal 400 for an unknown field that may change the answer. prefix: the place of the fields in the body."""
    for name, value in fields.items():
        if name in harmless:
            continue
        place = f"{prefix}{name[:80]!r}".replace("'", "")
        if name not in NEUTRAL:
            raise Refusal(400, f"{place}: not supported here; leave it out", place, "unsupported_parameter")
        if not any(value == neutral and isinstance(value, bool) == isinstance(neutral, bool) for neutral in NEUTRAL[name]):
            allowed = " or ".join(map(repr, NEUTRAL[name]))
            raise Refusal(400, f"{place}: found {repr(value)[:80]}, allowed: {allowed}", place, "unsupported_value")


def _refusal(error: ValidationError) -> Refusal:
    """The most specific of the errors as one line; its place is written as in code: messages[0].content."""
    first = max(error.errors(include_url=False), key=lambda entry: len(entry["loc"]))  # of a union, the branch that fits best
    if first["type"] == "json_invalid":
        return Refusal(400, f"the body is not JSON: {first['ctx']['error']}")
    parts = [
        part for part in first["loc"] if not (isinstance(part, str) and ("[" in part or part == "str"))
    ]  # without the names of a union's branches
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
    found = "" if first["type"] in ("missing", "too_long") else f", found {repr(first['input'])[:80]}"
    return Refusal(400, f"{place or 'the body'}: {first['msg'][0].lower()}{first['msg'][1:]}{found}", place or None)

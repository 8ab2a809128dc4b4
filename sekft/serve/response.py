"""What is answered: OpenAI's completion and its chunks, the list of models, vLLM's tokenize."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Spoken(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str


class Choice(BaseModel):
    index: Literal[0] = 0
    message: Spoken
    finish_reason: Literal["stop", "length"]


class ChatCompletion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Delta(BaseModel):
    """What is new; a field that is not is left out."""

    role: Literal["assistant"] | None = None
    content: str | None = None

    @model_serializer(mode="wrap")
    def _without_nulls(self, fields: SerializerFunctionWrapHandler) -> dict[str, str]:
        return {key: value for key, value in fields(self).items() if value is not None}


class ChunkChoice(BaseModel):
    index: Literal[0] = 0
    delta: Delta
    finish_reason: Literal["stop", "length"] | None = None


class Chunk(BaseModel):
    """One event of a stream. usage comes in a last chunk without choices, if it was asked for."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class Served(BaseModel):
    """One name that `model` may be. parent: the base of an adapter."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["sekft"] = "sekft"
    parent: str | None = None
    max_model_len: int | None = None


class Models(BaseModel):
    object: Literal["list"] = "list"
    data: list[Served]


class Tokenized(BaseModel):
    """max_model_len: tokens of prompt and reply together."""

    count: int
    max_model_len: int | None
    tokens: list[int]


def usage(prompt: int, reply: int) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=reply, total_tokens=prompt + reply)


def models(names: Sequence[str], created: int, context: int | None) -> Models:
    """names: the base first."""
    parents = [None, *[names[0]] * (len(names) - 1)]
    served = [Served(id=name, created=created, parent=parent, max_model_len=context) for name, parent in zip(names, parents, strict=True)]
    return Models(data=served)

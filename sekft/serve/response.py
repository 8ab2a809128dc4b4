"""Response bodies: OpenAI's completion, its server-sent events and list of models, and vLLM's tokenize."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from openai.types import CompletionUsage, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_chunk import Choice as ChunkChoice
from openai.types.chat.chat_completion_chunk import ChoiceDelta
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sekft.serve.refusal import Refusal
from sekft.serve.slots import Completion, Slot

log = logging.getLogger(__name__)
INTERNAL_ERROR = "internal error; the server's log has the details"
CLIENT_GONE = 499  # nginx's status; it appears only in the request log


def model_list(names: Sequence[str], created: int, context: int | None, only: str | None = None) -> Response:
    """The list of models, or one of them. names: the base first; it is the `parent` of the others."""
    parents = [None, *[names[0]] * (len(names) - 1)]
    common = {"object": "model", "created": created, "owned_by": "sekft", "max_model_len": context}
    models = [Model.model_validate({"id": name, **common, "parent": parent}) for name, parent in zip(names, parents, strict=True)]
    if only is not None:
        return JSONResponse(models[names.index(only)].model_dump())
    return JSONResponse({"object": "list", "data": [model.model_dump() for model in models]})


def tokenized(prompt: list[int], context: int | None) -> Response:
    return JSONResponse({"count": len(prompt), "max_model_len": context, "tokens": prompt})


async def completion_response(slot: Slot, request: Request, model: str, prompt_tokens: int) -> Response:
    """The whole completion; status 499 if the client leaves before it is finished."""
    done = asyncio.ensure_future(slot.completion())
    gone = asyncio.ensure_future(_wait_until_gone(request))
    try:
        await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            return Response(status_code=CLIENT_GONE)
        reply = done.result()
    finally:
        done.cancel()
        gone.cancel()
        slot.leave()
    request.state.tokens = (prompt_tokens, reply.tokens)
    message = ChatCompletionMessage(role="assistant", content=reply.text)
    body = ChatCompletion(
        id=_completion_id(),
        object="chat.completion",
        created=int(time.time()),
        model=model,
        choices=[Choice(index=0, message=message, finish_reason=_finish_reason(reply))],
        usage=_usage(prompt_tokens, reply),
    )
    return Response(_json(body), media_type="application/json")


class EventStream(StreamingResponse):
    """The completion as server-sent events. Starlette ends the stream when the client leaves, which ends the generation, too."""

    def __init__(self, slot: Slot, request: Request, model: str, prompt_tokens: int, include_usage: bool) -> None:
        self._slot = slot
        self._request = request
        self._prompt_tokens = prompt_tokens
        self._include_usage = include_usage
        self._head: dict[str, Any] = {"id": _completion_id(), "created": int(time.time()), "model": model}
        super().__init__(self._events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slot.leave()

    async def _events(self) -> AsyncIterator[str]:
        yield self._event([_chunk_choice(ChoiceDelta(role="assistant", content=""))])
        try:
            async for item in self._slot.pieces():
                if isinstance(item, str):
                    yield self._event([_chunk_choice(ChoiceDelta(content=item))])
                    continue
                self._request.state.tokens = (self._prompt_tokens, item.tokens)
                yield self._event([_chunk_choice(ChoiceDelta(), _finish_reason(item))])
                if self._include_usage:
                    yield self._event([], _usage(self._prompt_tokens, item))
        except Refusal as refusal:  # the status has been sent: only an event can report the refusal
            self._request.state.refusal = refusal.message
            yield f"data: {json.dumps(refusal.body())}\n\n"
        except Exception:  # our own bug, as in app._internal_error
            log.exception("a stream broke off")
            yield f"data: {json.dumps(Refusal(500, INTERNAL_ERROR).body())}\n\n"
        yield "data: [DONE]\n\n"

    def _event(self, choices: list[ChunkChoice], usage: CompletionUsage | None = None) -> str:
        return f"data: {_json(ChatCompletionChunk(object='chat.completion.chunk', **self._head, choices=choices, usage=usage))}\n\n"


async def _wait_until_gone(request: Request) -> None:
    """Return when the client has left. The body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _chunk_choice(delta: ChoiceDelta, finish_reason: Literal["stop", "length"] | None = None) -> ChunkChoice:
    return ChunkChoice(index=0, delta=delta, finish_reason=finish_reason)


def _finish_reason(reply: Completion) -> Literal["stop", "length"]:
    return "stop" if reply.stopped else "length"


def _usage(prompt_tokens: int, reply: Completion) -> CompletionUsage:
    return CompletionUsage(prompt_tokens=prompt_tokens, completion_tokens=reply.tokens, total_tokens=prompt_tokens + reply.tokens)


def _json(body: BaseModel) -> str:
    """Only the fields that were set: OpenAI's types have many more, all null here."""
    return body.model_dump_json(exclude_unset=True)


def _completion_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"

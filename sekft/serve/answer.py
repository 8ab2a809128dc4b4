"""A reply on its way to the client, whole or in events; and clients that go away before it is there."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sekft.serve.refusal import Refusal
from sekft.serve.response import ChatCompletion, Choice, Chunk, ChunkChoice, Delta, Spoken, Usage, usage
from sekft.serve.slots import Completion, Turn

log = logging.getLogger(__name__)
OUR_FAULT = "internal error; the server's log has the details"

CLIENT_GONE = 499  # nginx's word for it; nobody reads it but the log


async def whole(turn: Turn, request: Request, model: str, prompt: int) -> Response:
    """One completion; 499 if the client left before it was there. prompt: tokens."""
    done = asyncio.ensure_future(turn.whole())
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            return Response(status_code=CLIENT_GONE)
        reply = done.result()
    finally:
        done.cancel()
        gone.cancel()
        turn.leave()
    request.state.tokens = (prompt, reply.tokens)
    choice = Choice(message=Spoken(content=reply.text), finish_reason=_reason(reply))
    return as_json(ChatCompletion(id=_name(), created=int(time.time()), model=model, choices=[choice], usage=usage(prompt, reply.tokens)))


class Events(StreamingResponse):
    """The same as server-sent events; Starlette ends it when the client leaves, and then the generation ends too."""

    def __init__(self, turn: Turn, request: Request, model: str, prompt: int, include_usage: bool) -> None:
        self._turn = turn
        self._request = request
        self._prompt = prompt
        self._include_usage = include_usage
        self._head = {"id": _name(), "created": int(time.time()), "model": model}
        super().__init__(self._events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._turn.leave()

    async def _events(self) -> AsyncIterator[str]:
        yield self._chunk(Delta(role="assistant", content=""))
        try:
            async for item in self._turn.pieces():
                if isinstance(item, str):
                    yield self._chunk(Delta(content=item))
                    continue
                self._request.state.tokens = (self._prompt, item.tokens)
                yield self._chunk(Delta(), _reason(item))
                if self._include_usage:
                    yield self._event(None, usage(self._prompt, item.tokens))
        except Refusal as refusal:  # the head of the answer has gone out: what is left is to say it in the stream
            self._request.state.said = refusal.message
            yield f"data: {json.dumps(refusal.body())}\n\n"
        except Exception:  # ours, as in app._our_fault
            log.exception("a stream broke off")
            yield f"data: {json.dumps(Refusal(500, OUR_FAULT).body())}\n\n"
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: Delta, reason: Literal["stop", "length"] | None = None) -> str:
        return self._event(ChunkChoice(delta=delta, finish_reason=reason))

    def _event(self, choice: ChunkChoice | None, total: Usage | None = None) -> str:
        chunk = Chunk.model_validate({**self._head, "choices": [choice] if choice else [], "usage": total})
        return f"data: {chunk.model_dump_json()}\n\n"


def as_json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")


async def _gone(request: Request) -> None:
    """Returns when the client has left; the body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _reason(reply: Completion) -> Literal["stop", "length"]:
    return "stop" if reply.stopped else "length"


def _name() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"

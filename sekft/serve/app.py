"""The endpoint: OpenAI's chat completions over named models, canonical form first.

Covers: bearer token, size of the body and time to send it, shape, names, room in the context, a bounded queue, a time limit, clients
that leave.
Does not cover: TLS and rates per client (put a proxy before it), and which texts are asked about.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sekft.config import ServerConfig
from sekft.errors import RenderError
from sekft.serve import response
from sekft.serve.access import Door, bearer_token, read_body
from sekft.serve.answer import CLIENT_GONE, OUR_FAULT, Events, as_json, whole
from sekft.serve.refusal import Refusal
from sekft.serve.request import Asked, ChatRequest, T, TokenizeRequest, read
from sekft.serve.slots import Completion, Engine, Heard, Turns

GREEDY_BELOW = 0.01  # a temperature: lower ones divide logits into infinity


class Endpoint:
    """The four routes. engine: the models; limits: what is allowed; turns: the queue before the engine."""

    def __init__(self, engine: Engine, config: ServerConfig, turns: Turns) -> None:
        self._engine = engine
        self._config = config
        self._turns = turns
        self._since = int(time.time())

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, _: Request) -> Response:
        return as_json(response.models(self._engine.names, self._since, self._engine.context))

    async def tokenize(self, request: Request) -> Response:
        _, prompt = await self._asked(request, TokenizeRequest)
        return as_json(response.Tokenized(count=len(prompt), max_model_len=self._engine.context, tokens=prompt))

    async def chat(self, request: Request) -> Response:
        asked, prompt = await self._asked(request, ChatRequest)
        turn = self._turns.take(self._generation(asked, prompt))
        if asked.stream:
            return Events(turn, request, asked.model, len(prompt), asked.stream_options.include_usage)
        return await whole(turn, request, asked.model, len(prompt))

    async def _asked(self, request: Request, shape: type[T]) -> tuple[T, list[int]]:
        """What is asked, and the ids of its prompt."""
        asked = read(await read_body(request, self._config.max_body_bytes), shape, self._config.max_messages)
        if asked.model is not None and asked.model not in self._engine.names:
            found, allowed = repr(asked.model[:80]), ", ".join(self._engine.names)
            raise Refusal(404, f"model: found {found}, served here: {allowed}", "model", "model_not_found")
        return asked, await run_in_threadpool(self._prompt, asked)

    def _prompt(self, asked: Asked) -> list[int]:
        try:
            return self._engine.prompt(asked.turns())
        except RenderError as error:
            raise Refusal(400, str(error), "messages") from None

    def _generation(self, asked: ChatRequest, prompt: list[int]) -> Callable[[Heard], Completion]:
        """What the engine is to do. Raises Refusal 400 if the prompt leaves no room for a reply."""
        wanted = min(asked.max_completion_tokens or asked.max_tokens or self._config.max_tokens, self._config.max_tokens)
        room = wanted if self._engine.context is None else min(wanted, self._engine.context - len(prompt))
        if room < 1:
            message = f"messages: found {len(prompt)} tokens, allowed: fewer than {self._engine.context}"
            raise Refusal(400, message, "messages", "context_length_exceeded")
        temperature = self._config.temperature if asked.temperature is None else asked.temperature
        return partial(
            self._engine.complete,
            asked.model,
            prompt,
            max_tokens=room,
            temperature=temperature if temperature >= GREEDY_BELOW else 0.0,
            top_p=asked.top_p,
            seed=secrets.randbits(63) if asked.seed is None else asked.seed,
            stop=asked.stop,
        )


def app(engine: Engine, config: ServerConfig, turns: Turns, say: Callable[[str], None]) -> Starlette:
    """say: gets one line per request."""
    endpoint = Endpoint(engine, config, turns)
    routes = [
        Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
        Route("/v1/models", endpoint.models, methods=["GET"]),
        Route("/tokenize", endpoint.tokenize, methods=["POST"]),
        Route("/health", endpoint.health, methods=["GET"]),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        turns.close()

    made = Starlette(
        routes=routes,
        middleware=[Middleware(Door, token=bearer_token(config), say=say)],
        exception_handlers={Refusal: _refused, HTTPException: _elsewhere, ClientDisconnect: _left, Exception: _our_fault},
        lifespan=lifespan,
    )
    made.router.redirect_slashes = False  # a redirected POST is a request half of the clients never send again
    return made


async def _refused(request: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, Refusal) else Refusal(500, "internal error")
    request.state.said = refusal.message
    return refusal.response()


async def _elsewhere(request: Request, error: Exception) -> Response:
    """Another path, or another method on one of ours."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    allowed = "POST /v1/chat/completions, GET /v1/models, POST /tokenize, GET /health"
    return Refusal(status, f"{request.method} on this path is not served; allowed: {allowed}").response()


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _our_fault(request: Request, error: Exception) -> Response:
    """Our own bug: the trace is in the log of the run, never in the answer."""
    return Refusal(500, OUR_FAULT).response()

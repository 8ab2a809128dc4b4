"""The HTTP application: OpenAI's chat completions over named models, with messages in canonical form.

Covers bearer token, size and time of the body, validation, model names, context length, a bounded queue, a time limit, clients that leave.
Does not cover TLS and rate limits per client (put a proxy before it), nor the contents of the messages.
"""

import secrets
import time
from collections.abc import AsyncIterator
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
from sekft.config.job import Report
from sekft.errors import RenderError
from sekft.serve.access import AccessControl, bearer_token, read_body
from sekft.serve.refusal import Refusal
from sekft.serve.request import ChatRequest, ConversationRequest, T, TokenizeRequest, parse
from sekft.serve.response import CLIENT_GONE, INTERNAL_ERROR, EventStream, completion_response, model_list, tokenized
from sekft.serve.slots import Completer, Generate, Slots

GREEDY_BELOW = 0.01  # lower temperatures would overflow the logits


class Endpoint:
    """The handlers of the routes."""

    def __init__(self, models: Completer, config: ServerConfig, slots: Slots) -> None:
        self._models = models
        self._config = config
        self._slots = slots
        self._created = int(time.time())

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def list_models(self, _: Request) -> Response:
        return model_list(self._models.names, self._created, self._models.context)

    async def describe_model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._models.names:
            raise self._unknown(name)
        return model_list(self._models.names, self._created, self._models.context, name)

    async def tokenize(self, request: Request) -> Response:
        _, prompt = await self._parse(request, TokenizeRequest)
        return tokenized(prompt, self._models.context)

    async def chat(self, request: Request) -> Response:
        chat, prompt = await self._parse(request, ChatRequest)
        slot = self._slots.take(self._generate(chat, prompt))
        if chat.stream:
            return EventStream(slot, request, chat.model, len(prompt), chat.stream_options.include_usage)
        return await completion_response(slot, request, chat.model, len(prompt))

    async def _parse(self, request: Request, shape: type[T]) -> tuple[T, list[int]]:
        """The validated request and the ids of its prompt. Raises Refusal."""
        body = parse(await read_body(request, self._config.max_body_bytes), shape, self._config.max_messages)
        if body.model is not None and body.model not in self._models.names:
            raise self._unknown(body.model)
        return body, await run_in_threadpool(self._prompt, body)

    def _unknown(self, name: str) -> Refusal:
        return Refusal(404, f"model: found {name[:80]!r}, served here: {', '.join(self._models.names)}", "model", "model_not_found")

    def _prompt(self, body: ConversationRequest) -> list[int]:
        try:
            return self._models.prompt(body.conversation())
        except RenderError as error:
            raise Refusal(400, str(error), "messages") from None

    def _generate(self, chat: ChatRequest, prompt: list[int]) -> Generate:
        """The function that generates the reply. Raises Refusal 400 if the prompt leaves no room for one."""
        limit = min(chat.max_completion_tokens or chat.max_tokens or self._config.max_tokens, self._config.max_tokens)
        max_tokens = limit if self._models.context is None else min(limit, self._models.context - len(prompt))
        if max_tokens < 1:
            message = f"messages: found {len(prompt)} tokens, allowed: fewer than {self._models.context}"
            raise Refusal(400, message, "messages", "context_length_exceeded")
        temperature = self._config.temperature if chat.temperature is None else chat.temperature
        return partial(
            self._models.complete,
            chat.model,
            prompt,
            max_tokens=max_tokens,
            temperature=temperature if temperature >= GREEDY_BELOW else 0.0,
            top_p=chat.top_p,
            seed=secrets.randbits(63) if chat.seed is None else chat.seed,
            stop=chat.stop,
        )


def app(models: Completer, config: ServerConfig, slots: Slots, report: Report) -> Starlette:
    """The ASGI application. report: gets one line per request."""
    endpoint = Endpoint(models, config, slots)
    routes = [
        Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
        Route("/v1/models", endpoint.list_models, methods=["GET"]),
        Route("/v1/models/{name:path}", endpoint.describe_model, methods=["GET"]),
        Route("/tokenize", endpoint.tokenize, methods=["POST"]),
        Route("/health", endpoint.health, methods=["GET"]),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        slots.close()

    application = Starlette(
        routes=routes,
        middleware=[Middleware(AccessControl, token=bearer_token(config), report=report)],
        exception_handlers={Refusal: _refused, HTTPException: _not_served, ClientDisconnect: _client_gone, Exception: _internal_error},
        lifespan=lifespan,
    )
    application.router.redirect_slashes = False  # many clients do not repeat a redirected POST
    return application


async def _refused(request: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, Refusal) else Refusal(500, "internal error")
    request.state.refusal = refusal.message
    return refusal.response()


async def _not_served(request: Request, error: Exception) -> Response:
    """The answer to an unknown path, or to another method on a known one."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    allowed = "POST /v1/chat/completions, GET /v1/models, GET /v1/models/NAME, POST /tokenize, GET /health"
    return Refusal(status, f"{request.method} on this path is not served; allowed: {allowed}").response()


async def _client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _internal_error(request: Request, error: Exception) -> Response:
    """The answer to our own bug; its traceback is in the log of the run, never in the answer."""
    return Refusal(500, INTERNAL_ERROR).response()

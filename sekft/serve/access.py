"""Before anything is understood: who may come in, how much may be carried, and the line that says who came."""

import asyncio
import hmac
import os
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sekft.config import ServerConfig
from sekft.serve.refusal import Refusal

OPEN = {"/health"}
BODY_S = 30  # to send a body in
DRAINED = 16  # times the limit that is read and thrown away, so that a client still sending hears why


def bearer_token(config: ServerConfig) -> str | None:
    """The token that requests must carry; None if its environment variable is not set or empty."""
    return os.environ.get(config.token_env) or None


class Door:
    """token: asked of everything but OPEN; None asks nobody. say: gets `method path status tokens ms` of every request."""

    def __init__(self, app: ASGIApp, token: str | None, say: Callable[[str], None]) -> None:
        self._app = app
        self._token = token
        self._say = say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500
        state = scope.setdefault("state", {})

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self._may_enter(scope):
                await self._app(scope, receive, sending)
            else:
                state["said"] = "no valid bearer token"
                refusal = Refusal(401, "no valid bearer token; send the header `Authorization: Bearer TOKEN`", code="invalid_api_key")
                await refusal.response()(scope, receive, sending)
        finally:
            prompt, reply = state.get("tokens", (0, 0))
            tokens = f" {prompt}+{reply} tokens" if prompt else ""
            said = f" ({state['said']})" if "said" in state else ""
            milliseconds = 1000 * (time.monotonic() - started)
            self._say(f"{scope['method']} {_printable(scope)} {status}{tokens} {milliseconds:.0f} ms{said}")

    def _may_enter(self, scope: Scope) -> bool:
        if self._token is None or scope["path"] in OPEN:
            return True
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token.encode())


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The JSON that was sent. Raises Refusal 408, 413, 415.

    The content type is insisted on: a page in a browser can send text/plain to a loopback port without asking, JSON it cannot.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "content-type: allowed: application/json")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size <= max_bytes:
                    parts.append(part)
                elif size > DRAINED * max_bytes:
                    break
    except TimeoutError:
        raise Refusal(408, f"the body did not come within {BODY_S} s") from None
    if size > max_bytes:
        raise Refusal(413, f"the body: found more than {max_bytes} bytes, allowed: {max_bytes} (serve.max_body_bytes)")
    return b"".join(parts)


def _printable(scope: Scope) -> str:
    """The path as it was sent, nothing in it that a terminal would obey."""
    return scope.get("raw_path", b"?")[:100].decode("ascii", "backslashreplace")

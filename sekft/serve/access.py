"""Checks of a request before it is parsed: bearer token, content type, size and time of the body; and the request log."""

import asyncio
import hmac
import os
import time

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sekft.config import ServerConfig
from sekft.config.job import Report
from sekft.serve.refusal import Refusal

PUBLIC_PATHS = {"/health"}
BODY_TIMEOUT_S = 30
DISCARDED_BODIES = 16  # times the size limit is read and discarded, so that a client that is still sending gets the refusal


def bearer_token(config: ServerConfig) -> str | None:
    """The token that requests must carry; None if its environment variable is not set or empty."""
    return os.environ.get(config.token_env) or None


class AccessControl:
    """ASGI middleware. token: required for all paths but PUBLIC_PATHS; None: no token is required. report: gets one line per request,
    `method path status tokens ms`."""

    def __init__(self, app: ASGIApp, token: str | None, report: Report) -> None:
        self._app = app
        self._token = token
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500
        state = scope.setdefault("state", {})

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if self._is_authorized(scope):
                await self._app(scope, receive, send_and_note)
            else:
                state["refusal"] = "no valid bearer token"
                refusal = Refusal(401, "no valid bearer token; send the header `Authorization: Bearer TOKEN`", code="invalid_api_key")
                await refusal.response()(scope, receive, send_and_note)
        finally:
            prompt, reply = state.get("tokens", (0, 0))
            tokens = f" {prompt}+{reply} tokens" if prompt else ""
            refused = f" ({state['refusal']})" if "refusal" in state else ""
            milliseconds = 1000 * (time.monotonic() - started)
            self._report(f"{scope['method']} {_printable_path(scope)} {status}{tokens} {milliseconds:.0f} ms{refused}")

    def _is_authorized(self, scope: Scope) -> bool:
        if self._token is None or scope["path"] in PUBLIC_PATHS:
            return True
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = header.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token.encode())


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body of a JSON request. Raises Refusal 408, 413, 415.

    The content type is required: a web page can send text/plain to a loopback port without a CORS preflight, but not JSON.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "content-type: allowed: application/json")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for part in request.stream():
                size += len(part)
                if size <= max_bytes:
                    parts.append(part)
                elif size > DISCARDED_BODIES * max_bytes:
                    break
    except TimeoutError:
        raise Refusal(408, f"the body: not received within {BODY_TIMEOUT_S} s") from None
    if size > max_bytes:
        raise Refusal(413, f"the body: found more than {max_bytes} bytes, allowed: {max_bytes} (serve.max_body_bytes)")
    return b"".join(parts)


def _printable_path(scope: Scope) -> str:
    """The path as it was sent, with its control characters escaped."""
    return scope.get("raw_path", b"?")[:100].decode("ascii", "backslashreplace")

"""An OpenAI-compatible server over real HTTP on a free local port; a function of the test gives each answer."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. after_s: seconds of silence first; drip_s: seconds per byte; endless: a body of 1 GiB of zeros."""

    body: bytes = b""
    status: int = 200
    after_s: float = 0.0
    drip_s: float = 0.0
    endless: bool = False
    headers: dict[str, str] = field(default_factory=dict)


def completion(text: str | None) -> Answer:
    """A chat completion with this text as its only choice."""
    message = {"role": "assistant", "content": text}
    return Answer(json.dumps({"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": message}]}).encode())


def answering(document: Any, status: int = 200, **headers: str) -> Answer:
    """Any document as JSON."""
    return Answer(json.dumps(document).encode(), status, headers=headers)


def refusing(status: int, code: str = "") -> Answer:
    """An HTTP error in the form of the OpenAI API."""
    return Answer(json.dumps({"error": {"message": f"no: {code}", "code": code}}).encode(), status)


@contextmanager
def serving(answer: Callable[[dict[str, Any]], Answer]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(URL up to /v1, the requests received so far)."""
    requests: list[dict[str, Any]] = []
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            requests.append(request | {"authorization": self.headers["authorization"]})
            reply = answer(request)
            closing.wait(reply.after_s)
            with suppress(OSError):  # the client closed the connection
                self._send(reply)

        def _send(self, reply: Answer) -> None:
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(2**30 if reply.endless else len(reply.body)))
            self.end_headers()
            if reply.endless:
                for _ in range(2**10):
                    self.wfile.write(b"0" * 2**20)
            elif reply.drip_s:
                for byte in reply.body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(reply.drip_s)
            else:
                self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", requests
    finally:
        closing.set()
        server.shutdown()
        server.server_close()

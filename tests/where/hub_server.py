"""A server on loopback that answers as Hugging Face's documentation of jobs describes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JOB = "687fb701029421ae5549d998"


def job(stage: str, message: str | None = None) -> dict[str, Any]:
    """A job as in huggingface_hub's documentation of JobInfo."""
    return {
        "id": JOB, "createdAt": "2025-07-22T16:06:25.079Z", "dockerImage": "me/sekft", "command": [], "environment": {}, "secrets": {},
        "flavor": "cpu-basic", "status": {"stage": stage, "message": message}, "owner": {"id": "5e9e", "name": "me", "type": "user"},
    }  # fmt: skip


@contextmanager
def hub_server(status: int, stages: list[str], message: str | None = None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address and the recorded submissions. status: of the answer to a submission; stages: of the job in successive answers, the last
    for ever."""
    requests: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/api/whoami-v2":
                self._answer(200, {"type": "user", "id": "5e9e", "name": "me"})
            else:
                self._answer(200, job(stages.pop(0) if len(stages) > 1 else stages[0], message))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            requests.append({"path": self.path, "token": self.headers.get("Authorization"), "body": json.loads(body or b"{}")})
            self._answer(status, job("SCHEDULING") if status == 200 else {"error": "Payment required"})

        def _answer(self, status: int, value: Any) -> None:
            text = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()

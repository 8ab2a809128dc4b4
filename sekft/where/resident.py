"""A command that a resident base runs, reached by its Unix socket; output and exit status are those of a command run here."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from sekft.errors import JobError

SETTING = "resident="
IMPLIED = ("where=resident", "where.train=resident", "where.eval=resident")  # by resident=SOCKET
CONNECT_S = 5


def run_job(socket: Path, command: str, overrides: Sequence[str], samples: bool = False) -> int:
    """Submit the command, print its output until it ends, and return its exit status; Ctrl-C cancels it.

    samples: it trains on all decision points that are queued there. Raises JobError, KeyboardInterrupt.
    """
    own = [word for word in overrides if not word.startswith(SETTING) and word not in IMPLIED]
    if other := [word for word in own if word.startswith(("where=", "where."))]:
        raise JobError(f"{other[0]}: allowed with {SETTING}{socket}: where=resident")
    job = request(socket, "POST", "/jobs", {"words": [command, *own], "typed_in": str(Path.cwd()), "samples": samples})["job"]
    print(f"job {job} of {socket}", flush=True)
    try:
        return follow(socket, job)
    except KeyboardInterrupt:
        request(socket, "DELETE", f"/jobs/{job}")
        print(f"\njob {job}: cancelled", file=sys.stderr, flush=True)
        raise


def follow(socket: Path, job: str) -> int:
    """Print the job's output until the job ends, and return its exit status. Raises JobError."""
    last = ""
    for event in events(socket, job):
        if "output" in event:
            last = event["output"] or last
            print(event["output"], flush=True)
        elif "status" in event:
            if event["error"] not in (None, last.strip()):
                print(f"job {job} {event['status']}: {event['error']}", file=sys.stderr, flush=True)
            return int(event["exit_status"])
    raise JobError(f"resident={socket}: the service stopped; job {job} continues when it is started again")


def events(socket: Path, job: str) -> Iterator[dict[str, Any]]:
    """The job's events from its start: {"output": line}, then {"status", "error", "exit_status"}. Raises JobError."""
    with _client(socket) as client, client.stream("GET", f"/jobs/{job}/events", timeout=httpx2.Timeout(None)) as response:
        if response.is_error:
            response.read()
        _require_success(response)
        yield from map(json.loads, response.iter_lines())


def request(socket: Path, method: str, path: str, body: Any = None) -> Any:
    """The JSON response. Raises JobError."""
    with _client(socket) as client:
        response = client.request(method, path, json=body)
        _require_success(response)
        return response.json()


@contextmanager
def _client(socket: Path) -> Iterator[httpx2.Client]:
    try:
        with httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(socket)), base_url="http://resident", timeout=CONNECT_S, trust_env=False
        ) as client:
            yield client
    except httpx2.ConnectError:
        raise JobError(f"resident={socket}: nothing listens there; start it: python -m sekft.resident socket={socket}") from None
    except httpx2.RemoteProtocolError:
        raise JobError(f"resident={socket}: the service stopped; its job continues when it is started again") from None
    except httpx2.HTTPError as error:
        raise JobError(f"resident={socket}: {type(error).__name__}: {error}") from None


def _require_success(response: httpx2.Response) -> None:
    if response.is_error:
        is_json = "json" in response.headers.get("content-type", "")
        raise JobError(str(response.json()["error"]) if is_json else f"{response.status_code}")

"""A command that is done by a resident base on its socket, and looks as if it were done here."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from sekft.errors import JobError

PLACE = "resident="
MEANS_IT = ("where=resident", "where.train=resident", "where.eval=resident")  # what resident=SOCKET says already
CONNECT_S = 5


def do(socket: Path, command: str, words: Sequence[str], samples: bool = False) -> int:
    """The exit status of the command. samples: it learns from all decision points that wait there.

    A Ctrl-C cancels it there. Raises JobError, KeyboardInterrupt.
    """
    told = [word for word in words if not word.startswith(PLACE) and word not in MEANS_IT]
    if other := [word for word in told if word.startswith(("where=", "where."))]:
        raise JobError(f"{other[0]}: allowed with {PLACE}{socket}: where=resident")
    line = [command, *told]
    job = ask(socket, "POST", "/jobs", {"words": line, "typed_in": str(Path.cwd()), "samples": samples})["job"]
    print(f"job {job} of {socket}", flush=True)
    try:
        return follow(socket, job)
    except KeyboardInterrupt:
        ask(socket, "DELETE", f"/jobs/{job}")
        print(f"\njob {job}: cancelled", file=sys.stderr, flush=True)
        raise


def follow(socket: Path, job: str) -> int:
    """Print what it prints until it has ended; its exit status. Raises JobError."""
    last = ""
    for told in events(socket, job):
        if "output" in told:
            last = told["output"] or last
            print(told["output"], flush=True)
        elif "status" in told:
            if told["error"] not in (None, last.strip()):
                print(f"job {job} {told['status']}: {told['error']}", file=sys.stderr, flush=True)
            return int(told["exit_status"])
    raise JobError(f"resident={socket}: it stopped; job {job} goes on when it is started again")


def events(socket: Path, job: str) -> Iterator[dict[str, Any]]:
    with _client(socket) as client, client.stream("GET", f"/jobs/{job}/events", timeout=httpx2.Timeout(None)) as answer:
        if answer.is_error:
            answer.read()
        _require_fine(answer)
        yield from map(json.loads, answer.iter_lines())


def ask(socket: Path, method: str, path: str, body: Any = None) -> Any:
    """Raises JobError."""
    with _client(socket) as client:
        answer = client.request(method, path, json=body)
        _require_fine(answer)
        return answer.json()


@contextmanager
def _client(socket: Path) -> Iterator[httpx2.Client]:
    try:
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket)), base_url="http://resident", timeout=CONNECT_S) as client:
            yield client
    except httpx2.ConnectError:
        raise JobError(f"resident={socket}: nobody serves there; python -m sekft.resident socket={socket} does") from None
    except httpx2.RemoteProtocolError:
        raise JobError(f"resident={socket}: it stopped; what it was at goes on when it is started again") from None
    except httpx2.HTTPError as error:
        raise JobError(f"resident={socket}: {type(error).__name__}: {error}") from None


def _require_fine(answer: httpx2.Response) -> None:
    if answer.is_error:
        raise JobError(str(answer.json()["error"]) if "json" in answer.headers.get("content-type", "") else f"{answer.status_code}")

"""The container engine: which one answers, a client for every thread, and the sweep of what dead owners left."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.context
import docker.errors
import docker.utils
import psutil

from sekft.errors import SandboxError
from sekft.sandbox.image import one_line

PROBE_S = 1.0  # an engine of this host answers in milliseconds
CALL_S = 30.0  # 16 containers started at once took 2 s each
LABEL = "sekft"
OWNER = "sekft.pid"  # host:pid
DEADLINE = "sekft.deadline"  # seconds since the epoch
_KEPT = threading.local()


@dataclass(frozen=True)
class ContainerEngine:
    """One that answered. arguments: what docker.DockerClient takes."""

    host: str
    name: str  # as it calls itself
    version: str
    arguments: tuple[tuple[str, Any], ...]

    @property
    def podman(self) -> bool:
        return "podman" in self.name.lower()

    def client(self) -> docker.DockerClient:
        """This thread's own: a client is one pool of connections, and its sockets are not to be shared. Raises SandboxError."""
        kept: _Clients = _KEPT.__dict__.setdefault("clients", _Clients())
        if self not in kept:
            with trouble(f"the engine at {self.host}"):
                kept[self] = docker.DockerClient(timeout=CALL_S, **dict(self.arguments))
        return kept[self]


class _Clients(dict[ContainerEngine, docker.DockerClient]):
    """Of one thread, closed at its end: clients are cycles, 10 sockets each would stay until the collector comes."""

    def __del__(self) -> None:
        for client in self.values():
            with contextlib.suppress(Exception):
                client.close()


def find() -> ContainerEngine:
    """The engine of DOCKER_HOST, else of the docker context, else the first socket that answers. Raises SandboxError."""
    tried = []
    for host, arguments in candidates():
        try:
            return probe(host, arguments)
        except SandboxError as error:
            tried.append(str(error))
    advice = "start one (sh scripts/engine.sh) or use sandbox=bwrap"
    raise SandboxError(f"no container engine answers: {'; '.join(tried) or 'no DOCKER_HOST, no context, no socket'}; {advice}")


def candidates() -> Iterator[tuple[str, dict[str, Any]]]:
    """(host, arguments of DockerClient). A host that was named is the only one: another engine would be a surprise."""
    if host := os.environ.get("DOCKER_HOST"):
        yield host, docker.utils.kwargs_from_env()
        return
    with contextlib.suppress(Exception):  # a broken ~/.docker is not ours to complain about
        context = docker.context.ContextAPI.get_current_context()
        if context and context.Name != "default":
            yield context.Host, {"base_url": context.Host, **({"tls": context.TLSConfig} if context.TLSConfig else {})}
            return
    runtime, home = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"), Path.home()
    sockets = (
        Path("/var/run/docker.sock"),
        runtime / "docker.sock",
        home / ".docker/run/docker.sock",
        home / ".colima/default/docker.sock",
    )
    for path in (*sockets, runtime / "podman/podman.sock", Path("/run/podman/podman.sock")):
        with contextlib.suppress(OSError):  # a folder that may not be looked into
            if path.is_socket():
                yield f"unix://{path}", {"base_url": f"unix://{path}"}


def probe(host: str, arguments: dict[str, Any]) -> ContainerEngine:
    """Ask for the version, at most PROBE_S: in a thread, because names are resolved without a time-out. Raises SandboxError."""
    answer: list[ContainerEngine | BaseException] = []

    def ask() -> None:
        try:
            client = docker.DockerClient(timeout=PROBE_S, **{"version": "auto", **arguments})
            with contextlib.closing(client):
                found = client.version()
            name = (found.get("Components") or [{}])[0].get("Name", "Engine")
            wanted = {**arguments, "version": client.api.api_version}
            answer.append(ContainerEngine(host, name, found.get("Version", "?"), tuple(wanted.items())))
        except Exception as error:  # whatever the SDK, requests or a ssh library raises means: not this one
            answer.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_S + 0.2)
    if answer and isinstance(answer[0], ContainerEngine):
        return answer[0]
    raise SandboxError(f"{host}: {_cause(answer[0]) if answer else f'no answer within {PROBE_S:.0f} s'}")


def _cause(error: Any) -> str:
    text = one_line(error)
    known = {
        "PermissionError": "permission denied (add the user to the group docker)",
        "FileNotFoundError": "no such socket (not installed, or not running)",
        "Connection refused": "connection refused (not running)",
        "Name or service not known": "unknown host name",
        "Temporary failure in name resolution": "unknown host name",
        "timed out": f"no answer within {PROBE_S:.0f} s",
    }
    return next((said for part, said in known.items() if part in text), text[:200])


@contextlib.contextmanager
def trouble(what: str) -> Iterator[None]:
    """Whatever goes wrong between us and the engine, as SandboxError."""
    try:
        yield
    except (docker.errors.DockerException, OSError) as error:  # requests' errors are OSErrors
        raise SandboxError(f"{what}: {one_line(error)[:300]}") from None


def info(client: docker.DockerClient) -> dict[str, Any]:
    """What the engine says of itself. Raises SandboxError."""
    with trouble("the engine said nothing of itself"):
        return dict(client.info())


def owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def sweep(client: docker.DockerClient) -> int:
    """Remove containers of our label whose owner on this host is dead, or whose time is over; how many. Raises SandboxError."""
    removed = 0
    with trouble("the engine could not be swept"):
        for container in client.containers.list(all=True, filters={"label": f"{LABEL}=1"}, ignore_removed=True):
            if _left_over(container.labels):
                with contextlib.suppress(docker.errors.NotFound, docker.errors.APIError):  # auto_remove was faster: 404, 409
                    container.remove(force=True)
                    removed += 1
    return removed


def _left_over(labels: dict[str, str]) -> bool:
    deadline = labels.get(DEADLINE, "")
    if deadline.isdigit() and int(deadline) < time.time():
        return True
    host, _, pid = labels.get(OWNER, "").partition(":")
    return host == socket.gethostname() and pid.isdigit() and not psutil.pid_exists(int(pid))

"""The container engine: finding one that answers, a client for every thread, the removal of containers of dead owners."""

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
from docker.context.config import get_current_context_name

from sekft.errors import SandboxError, one_line
from sekft.tracking.files import home_folder

PROBE_S = 1.0  # an engine of this host answers in milliseconds
CALL_S = 30.0  # 16 containers started at once took 2 s each
LABEL = "sekft"
OWNER = "sekft.pid"  # host:pid
DEADLINE = "sekft.deadline"  # seconds since the epoch
_KEPT = threading.local()


@dataclass(frozen=True)
class ContainerEngine:
    """An engine that answered. arguments: of docker.DockerClient."""

    host: str
    name: str  # as it calls itself
    version: str
    arguments: tuple[tuple[str, Any], ...]

    @property
    def podman(self) -> bool:
        return "podman" in self.name.lower()

    def client(self) -> docker.DockerClient:
        """The client of this thread: threads must not share the sockets of its connection pool. Raises SandboxError."""
        kept: _Clients = _KEPT.__dict__.setdefault("clients", _Clients())
        if self not in kept:
            with trouble(f"the engine at {self.host}"):
                kept[self] = docker.DockerClient(timeout=CALL_S, **dict(self.arguments))
        return kept[self]


class _Clients(dict[ContainerEngine, docker.DockerClient]):
    """The clients of one thread, closed at its end: they are reference cycles, and 10 sockets each would stay until a collection."""

    def __del__(self) -> None:
        for client in self.values():
            with contextlib.suppress(Exception):
                client.close()


def find() -> ContainerEngine:
    """The engine of DOCKER_HOST, else of DOCKER_CONTEXT or the current docker context, else the first socket. Raises SandboxError."""
    tried = []
    for host, arguments in candidates():
        try:
            return probe(host, arguments)
        except SandboxError as error:
            tried.append(str(error))
    advice = "start one (sh scripts/engine.sh) or use sandbox=bwrap"
    raise SandboxError(f"no container engine answers: {'; '.join(tried) or 'no DOCKER_HOST, no context, no socket'}; {advice}")


def candidates() -> Iterator[tuple[str, dict[str, Any]]]:
    """(host, arguments of DockerClient) of the engines to try. A configured host is the only one: another engine would be a surprise.

    The order is that of the docker command. Raises SandboxError for a context that is not there.
    """
    if host := os.environ.get("DOCKER_HOST"):
        yield host, docker.utils.kwargs_from_env()
        return
    if context := _configured_context():
        yield context.Host, {"base_url": context.Host, **({"tls": context.TLSConfig} if context.TLSConfig else {})}
        return
    runtime, home = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"), home_folder()
    own = (home / ".docker/run/docker.sock", home / ".colima/default/docker.sock") if home else ()
    sockets = (Path("/var/run/docker.sock"), runtime / "docker.sock", *own)
    for path in (*sockets, runtime / "podman/podman.sock", Path("/run/podman/podman.sock")):
        with contextlib.suppress(OSError):  # a folder without permission
            if path.is_socket():
                yield f"unix://{path}", {"base_url": f"unix://{path}"}


def _configured_context() -> Any:
    """The docker context that the user has chosen; None for the default one. Raises SandboxError for one that cannot be used."""
    given = os.environ.get("DOCKER_CONTEXT")
    name, source = (
        given or get_current_context_name() or "default",
        "DOCKER_CONTEXT" if given else "currentContext",
    )  # a broken config.json: default
    if name == "default":
        return None
    try:
        context = docker.context.ContextAPI.get_context(name)
        fault = "" if context and context.Host else "no such docker context"
    except Exception as error:  # damaged metadata raise errors of many classes
        fault = f"this docker context cannot be read: {one_line(error)[:200]}"
    if fault:
        raise SandboxError(f"{source}={name}: {fault}; see `docker context ls`, or set DOCKER_CONTEXT=default")
    return context


def probe(host: str, arguments: dict[str, Any]) -> ContainerEngine:
    """Ask an engine for its version, at most PROBE_S long; in a thread, because name resolution has no time-out. Raises SandboxError."""
    answer: list[ContainerEngine | BaseException] = []

    def request_version() -> None:
        try:
            client = docker.DockerClient(timeout=PROBE_S, **{"version": "auto", **arguments})
            with contextlib.closing(client):
                version = client.version()
            name = (version.get("Components") or [{}])[0].get("Name", "Engine")
            kept = {**arguments, "version": client.api.api_version}
            answer.append(ContainerEngine(host, name, version.get("Version", "?"), tuple(kept.items())))
        except Exception as error:  # the SDK, requests and ssh libraries raise many classes; all mean: not this engine
            answer.append(error)

    thread = threading.Thread(target=request_version, daemon=True)
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
    return next((phrase for part, phrase in known.items() if part in text), text[:200])


@contextlib.contextmanager
def trouble(action: str) -> Iterator[None]:
    """Turn every error of a call to the engine into a SandboxError that begins with `action`."""
    try:
        yield
    except (docker.errors.DockerException, OSError) as error:  # requests' errors are OSErrors
        raise SandboxError(f"{action}: {one_line(error)[:300]}") from None


def info(client: docker.DockerClient) -> dict[str, Any]:
    """The engine's answer to `docker info`. Raises SandboxError."""
    with trouble("the engine gave no information about itself"):
        return dict(client.info())


def owner() -> str:
    """The label of this process: host:pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


def sweep(client: docker.DockerClient) -> int:
    """Remove containers with our label whose owner on this host is dead or whose deadline is over. Returns their number."""
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

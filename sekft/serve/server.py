"""The server process: its socket, its start and its graceful stop."""

import ipaddress
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from sekft.cli import unix_socket
from sekft.config import ServerConfig
from sekft.config.job import Report
from sekft.errors import ServingError, SettingsError
from sekft.serve.access import bearer_token
from sekft.serve.app import app
from sekft.serve.slots import Completer, Slots

SPARE_CONNECTIONS = 256  # beyond the queue: idle and to be refused; further ones get uvicorn's own 503


def require_token(config: ServerConfig) -> None:
    """Raise SettingsError if the address is reachable from other machines and no token is set."""
    if not (bearer_token(config) or config.socket or is_loopback(config.host)):
        raise SettingsError(
            f"serve.host={config.host}: reachable from other machines; allowed only with a token: set {config.token_env} in the environment"
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def listening(config: ServerConfig) -> Iterator[socket.socket]:
    """The open listening socket, created before models are loaded, so that an address in use is reported at once. Raises ServingError."""
    try:
        listener = unix_socket.listen(Path(config.socket)) if config.socket else _tcp(config.host, config.port)
    except OSError as error:
        setting = f"serve.socket={config.socket}" if config.socket else f"serve.host={config.host} serve.port={config.port}"
        raise ServingError(f"{setting}: {error.strerror or error}") from None
    try:
        yield listener
    finally:
        listener.close()
        if config.socket:
            Path(config.socket).unlink(missing_ok=True)


def address(listener: socket.socket) -> str:
    """The base URL for clients, without /v1."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(models: Completer, listener: socket.socket, config: ServerConfig, report: Report) -> None:
    """Serve until SIGTERM (returns) or SIGINT (raises KeyboardInterrupt).

    On either, running requests are finished within serve.stop_s, and no new ones are accepted. report: gets one line per request.
    """
    slots = Slots(config.queue, config.rows, config.request_s)
    uvicorn_config = uvicorn.Config(
        app(models, config, slots, report),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,  # uvicorn logs through the run's own log
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=config.stop_s,
        limit_concurrency=config.queue + SPARE_CONNECTIONS,
    )
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn handles it first and raises it again after its shutdown
    try:
        uvicorn.Server(uvicorn_config).run(sockets=[listener])
    finally:
        slots.close()  # again: a second Ctrl-C skips uvicorn's own shutdown
        signal.signal(signal.SIGTERM, before)


def _tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)

"""Where the endpoint listens, and how it starts and ends."""

import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from sekft.cli import unix_socket
from sekft.config import ServerConfig
from sekft.errors import ServingError, SettingsError
from sekft.serve.access import bearer_token
from sekft.serve.app import app
from sekft.serve.slots import Engine, Turns

SPARE_CONNECTIONS = 256  # beyond the queue: idle ones, and those about to be refused; more get uvicorn's own 503


def require_token(config: ServerConfig) -> None:
    """Raises SettingsError where others than this machine could come in without a token."""
    if not (bearer_token(config) or config.socket or is_loopback(config.host)):
        raise SettingsError(
            f"serve.host={config.host}: open to others; allowed only with a token: set {config.token_env} in the environment"
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def listening(config: ServerConfig) -> Iterator[socket.socket]:
    """A socket that takes connections at once, so that an address in use is known before anything is loaded. Raises ServingError."""
    try:
        listener = unix_socket.listen(Path(config.socket)) if config.socket else _tcp(config.host, config.port)
    except OSError as error:
        place = f"serve.socket={config.socket}" if config.socket else f"serve.host={config.host} serve.port={config.port}"
        raise ServingError(f"{place}: {error.strerror or error}") from None
    try:
        yield listener
    finally:
        listener.close()
        if config.socket:
            Path(config.socket).unlink(missing_ok=True)


def address(listener: socket.socket) -> str:
    """What a client is given as its base URL, without /v1."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(engine: Engine, listener: socket.socket, config: ServerConfig, say: Callable[[str], None]) -> None:
    """Until SIGTERM (returns) or SIGINT (KeyboardInterrupt): what runs is finished, for serve.stop_s at most; nothing new is taken."""
    turns = Turns(config.queue, config.rows, config.request_s)
    uvicorn_config = uvicorn.Config(
        app(engine, config, turns, say),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,  # to the log of the run
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=config.stop_s,
        limit_concurrency=config.queue + SPARE_CONNECTIONS,
    )
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn hears it first and raises it again when all is done
    try:
        uvicorn.Server(uvicorn_config).run(sockets=[listener])
    finally:
        turns.close()  # a second Ctrl-C leaves uvicorn's own end out
        signal.signal(signal.SIGTERM, before)


def _tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)

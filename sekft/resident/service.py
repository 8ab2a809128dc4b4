"""A resident base as a service: a lock on its queue, a socket, a worker, and an end in good order."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout
from starlette.applications import Starlette

from sekft.errors import JobError
from sekft.resident.app import Service, app
from sekft.resident.dispatch import Dispatch
from sekft.resident.queue import Queue
from sekft.resident.worker import Begin
from sekft.tracking.ledger import Status
from sekft.where import unix_socket

LOCK = ".at_work"
STOP_S = 2  # for answers that are under way


def serve(path: Path, folder: Path, begin: Begin, commands: tuple[str, ...], say: Callable[[str], None]) -> None:
    """Until SIGTERM (returns) or SIGINT (KeyboardInterrupt). folder: of the queue. Raises JobError."""
    folder = folder.absolute()  # the worker goes where a job was typed
    folder.mkdir(parents=True, exist_ok=True)
    try:
        listener = unix_socket.listen(path)
    except OSError as error:
        raise JobError(f"socket={path}: {error.strerror or error}") from None
    try:
        with listener, FileLock(folder / LOCK, timeout=0):
            queue = Queue(folder)
            _say_what_waits(queue, say)
            dispatch = Dispatch(queue, begin, say)
            try:
                say(f"listening: unix:{path}; queue: {folder}")
                _answer(listener, app(Service(queue, dispatch, commands)))
            finally:
                dispatch.stop()
    except Timeout:
        raise JobError(f"queue={folder}: another service has it") from None
    finally:
        path.unlink(missing_ok=True)


def _say_what_waits(queue: Queue, say: Callable[[str], None]) -> None:
    waiting = [entry for entry in queue.entries() if entry.status is Status.queued]
    if waiting:
        begun = f", {waiting[0].job} goes on from where it was cut off" if waiting[0].runs else ""
        say(f"waiting: {', '.join(entry.job for entry in waiting)}{begun}")


def _answer(listener: socket.socket, made: Starlette) -> None:
    config = uvicorn.Config(
        made, http="h11", ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=STOP_S
    )
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn hears it first and raises it again when all is done
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)

"""The service of a resident base: it locks its queue, listens on a Unix socket, and stops the worker at its end."""

import signal
import socket
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from sekft.cli import unix_socket
from sekft.config.job import Report
from sekft.errors import JobError
from sekft.resident.app import Routes, make_app
from sekft.resident.dispatch import Dispatcher
from sekft.resident.queue import Queue
from sekft.resident.worker import Setup
from sekft.tracking.files import lock
from sekft.tracking.ledger import Status

LOCK = ".at_work"
STOP_S = 2  # for answers that are being sent


def serve(path: Path, folder: Path, setup: Setup, commands: tuple[str, ...], report: Report) -> None:
    """Serve on the socket until SIGTERM (returns) or SIGINT (KeyboardInterrupt).

    path: of the socket. folder: of the queue. commands: that jobs may run. Raises JobError.
    """
    folder = folder.absolute()  # the worker changes its folder to that of each job
    folder.mkdir(parents=True, exist_ok=True)
    taken = JobError(f"queue={folder}: in use by another service; allowed: another folder")
    try:
        listener = unix_socket.listen(path)
    except OSError as error:
        raise JobError(f"socket={path}: {error.strerror or error}") from None
    try:
        with listener, lock(folder / LOCK, taken):
            queue = Queue(folder)
            _report_waiting(queue, report)
            dispatcher = Dispatcher(queue, setup, report)
            try:
                report(f"listening: unix:{path}; queue: {folder}")
                _serve_http(listener, make_app(Routes(queue, dispatcher, commands)))
            finally:
                dispatcher.stop()
    finally:
        path.unlink(missing_ok=True)


def _report_waiting(queue: Queue, report: Report) -> None:
    waiting = [entry for entry in queue.entries() if entry.status is Status.queued]
    if waiting:
        cut_off = f"; {waiting[0].job} was cut off and continues" if waiting[0].runs else ""
        report(f"waiting jobs: {', '.join(entry.job for entry in waiting)}{cut_off}")


def _serve_http(listener: socket.socket, app: Starlette) -> None:
    config = uvicorn.Config(
        app, http="h11", ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=STOP_S
    )
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises the signal again after its shutdown: it must not end us then
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)

"""The HTTP interface of a resident base on its socket: JSON documents, and JSON lines for the events of a job."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sekft.errors import DataError, JobError, validation_line
from sekft.resident.dispatch import Dispatcher
from sekft.resident.queue import ENDED, Queue, UnknownJob
from sekft.resident.samples import Samples, read
from sekft.tracking.files import json_lines
from sekft.tracking.ledger import Entry
from sekft.tracking.record import CHECKPOINTS, METRICS

POLL_S = 0.1  # how often files are read for new lines


class JobRequest(BaseModel):
    """The body of POST /jobs.

    words: a command line, the command first. typed_in: the folder that relative paths start from. samples: train on all that wait.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    words: list[str] = Field(min_length=1)
    typed_in: str
    samples: bool = False


class Routes:
    """The handlers of all requests. commands: that a job may run."""

    def __init__(self, queue: Queue, dispatcher: Dispatcher, commands: tuple[str, ...]) -> None:
        self._queue, self._dispatcher, self._commands = queue, dispatcher, commands
        self._samples = Samples(queue)

    async def status(self, _: Request) -> Response:
        return JSONResponse(self._dispatcher.status())

    async def jobs(self, _: Request) -> Response:
        return JSONResponse([job_document(entry) for entry in self._queue.entries()])

    async def submit(self, request: Request) -> Response:
        job = _job_request(await request.body())
        if job.words[0] not in self._commands:
            raise JobError(f"words: found {job.words[0]!r}, allowed first: {', '.join(self._commands)}")
        if not Path(job.typed_in).is_dir():
            raise JobError(f"typed_in: {job.typed_in}: no such folder")
        submit = self._samples.submit if job.samples else self._queue.submit
        return JSONResponse(job_document(submit(job.words, Path(job.typed_in))), 201)

    async def job(self, request: Request) -> Response:
        return JSONResponse(job_document(self._entry(request)))

    async def cancel(self, request: Request) -> Response:
        self._dispatcher.cancel(request.path_params["job"])
        return JSONResponse(job_document(self._entry(request)))

    async def losses(self, request: Request) -> Response:
        return JSONResponse([line for run in self._entry(request).runs for line in _losses(Path(run))])

    async def events(self, request: Request) -> Response:
        entry = self._entry(request)
        return StreamingResponse(self._stream_events(entry.job), media_type="application/x-ndjson")

    async def adapters(self, _: Request) -> Response:
        return JSONResponse([item for entry in self._queue.entries() for run in entry.runs for item in _adapters(entry.job, Path(run))])

    async def samples(self, _: Request) -> Response:
        return JSONResponse(list(self._samples.statuses().values()))

    async def post_sample(self, request: Request) -> Response:
        return JSONResponse(self._samples.post(read(await request.body())), 201)

    def _entry(self, request: Request) -> Entry:
        """Raises UnknownJob."""
        return self._queue.entry(request.path_params["job"])

    async def _stream_events(self, job: str) -> AsyncIterator[str]:
        """JSON lines from the beginning of the job: {"output": line}, {"run": folder, "step": n, metric: value, ...}; the job last."""
        output = Tail(self._queue.output(job))
        metrics: dict[str, Tail] = {}
        while not self._dispatcher.stopping:
            entry = self._queue.entry(job)  # before the files are read: once the status is an ended one, they are complete
            for run in entry.runs:
                metrics.setdefault(run, Tail(Path(run) / METRICS))
            ended = entry.status in ENDED
            for line in output.lines(rest=ended):
                yield json.dumps({"output": line}) + "\n"
            for run, tail in metrics.items():
                for line in tail.lines():
                    with suppress(ValueError, TypeError):  # a damaged line; the stream goes on
                        yield json.dumps({"run": run} | json.loads(line)) + "\n"
            if ended:
                yield json.dumps(job_document(entry)) + "\n"
                return
            await asyncio.sleep(POLL_S)


class Tail:
    """Reads the new lines of a text file that grows, or that is replaced by another one."""

    def __init__(self, path: Path) -> None:
        self._path, self._position, self._inode = path, 0, -1

    def lines(self, rest: bool = False) -> Iterator[str]:
        """The whole lines since the last call. rest: also an unfinished last one.

        Of a line that overwrites itself with carriage returns, as a progress bar does, the last state.
        """
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            if self._inode != (inode := os.fstat(file.fileno()).st_ino):  # the file was replaced
                self._inode, self._position = inode, 0
            file.seek(self._position)
            new = file.read()
        length = len(new) if rest else new.rfind(b"\n") + 1
        self._position += length
        for line in new[:length].decode(errors="replace").split("\n")[: None if rest and not new.endswith(b"\n") else -1]:
            yield line.rstrip("\r").rpartition("\r")[2]


def job_document(entry: Entry) -> dict[str, Any]:
    """A job as JSON."""
    values = asdict(entry)
    return {key: values[key] for key in ("job", "status", "error", "exit_status", "runs")} | dict(entry.asked)


def make_app(routes: Routes) -> Starlette:
    job = "/jobs/{job}"
    return Starlette(
        routes=[
            Route("/status", routes.status),
            Route("/adapters", routes.adapters),
            Route("/samples", routes.samples, methods=["GET"]),
            Route("/samples", routes.post_sample, methods=["POST"]),
            Route("/jobs", routes.jobs, methods=["GET"]),
            Route("/jobs", routes.submit, methods=["POST"]),
            Route(job, routes.job, methods=["GET"]),
            Route(job, routes.cancel, methods=["DELETE"]),
            Route(f"{job}/losses", routes.losses),
            Route(f"{job}/events", routes.events),
        ],
        exception_handlers={JobError: _error_response, DataError: _error_response},
    )


async def _error_response(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404 if isinstance(error, UnknownJob) else 400)


def _job_request(body: bytes) -> JobRequest:
    """Raises JobError naming the field."""
    try:
        return JobRequest.model_validate_json(body)
    except ValidationError as error:
        raise JobError(f"{validation_line(error)}; allowed: words, typed_in, samples") from None


def _losses(run: Path) -> list[dict[str, Any]]:
    """The logged losses by step, also those from before a cut-off; of a step that was trained again, the later one."""
    files = sorted(run.glob("metrics.*jsonl"), key=lambda file: (file.name == METRICS, file.name))
    lines = [line for file in files for line in json_lines(file)]
    by_step = {line["step"]: {"run": str(run)} | line for line in lines if "train/loss" in line and "step" in line}
    return [by_step[step] for step in sorted(by_step)]


def _adapters(job: str, run: Path) -> Iterator[dict[str, Any]]:
    """The adapter of a run and its checkpoints, with their sizes in bytes."""
    folders = [("adapter", run / "adapter"), *(("checkpoint", path) for path in sorted((run / CHECKPOINTS).glob("checkpoint-*")))]
    for kind, folder in folders:
        if folder.is_dir():
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            yield {"job": job, "kind": kind, "path": str(folder), "bytes": size, "created": int(folder.stat().st_mtime)}

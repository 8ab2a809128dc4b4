"""What a resident base answers on its socket: HTTP, JSON, and JSON lines where something goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sekft.errors import JobError
from sekft.resident.dispatch import Dispatch
from sekft.resident.queue import ENDED, Queue
from sekft.resident.samples import Samples, read
from sekft.resident.tail import Tail
from sekft.tracking.ledger import Entry
from sekft.tracking.record import CHECKPOINTS, METRICS

LOOK_S = 0.1  # between looks at what is new


class Asked(BaseModel):
    """words: a command line, its command first. typed_in: the folder where relative paths begin. samples: learn from all that wait."""

    model_config = ConfigDict(extra="forbid", strict=True)
    words: list[str] = Field(min_length=1)
    typed_in: str
    samples: bool = False


class Service:
    """The routes. commands: what can be asked for."""

    def __init__(self, queue: Queue, dispatch: Dispatch, commands: tuple[str, ...]) -> None:
        self._queue, self._dispatch, self._commands = queue, dispatch, commands
        self._samples = Samples(queue)

    async def status(self, _: Request) -> Response:
        return JSONResponse(self._dispatch.status())

    async def jobs(self, _: Request) -> Response:
        return JSONResponse([told(entry) for entry in self._queue.entries()])

    async def submit(self, request: Request) -> Response:
        asked = _read(await request.body(), Asked)
        if asked.words[0] not in self._commands:
            raise JobError(f"words: found {asked.words[0]!r}, allowed first: {', '.join(self._commands)}")
        if not Path(asked.typed_in).is_dir():
            raise JobError(f"typed_in: {asked.typed_in}: no such folder")
        submit = self._samples.submit if asked.samples else self._queue.submit
        return JSONResponse(told(submit(asked.words, Path(asked.typed_in))), 201)

    async def job(self, request: Request) -> Response:
        return JSONResponse(told(self._entry(request)))

    async def cancel(self, request: Request) -> Response:
        self._dispatch.cancel(request.path_params["job"])
        return JSONResponse(told(self._entry(request)))

    async def losses(self, request: Request) -> Response:
        return JSONResponse([line for run in self._entry(request).runs for line in _losses(Path(run))])

    async def events(self, request: Request) -> Response:
        entry = self._entry(request)
        return StreamingResponse(self._watch(entry.job), media_type="application/x-ndjson")

    async def adapters(self, _: Request) -> Response:
        return JSONResponse([found for entry in self._queue.entries() for run in entry.runs for found in _kept(entry.job, Path(run))])

    async def samples(self, _: Request) -> Response:
        return JSONResponse(list(self._samples.told().values()))

    async def post(self, request: Request) -> Response:
        return JSONResponse(self._samples.post(read(await request.body())), 201)

    def _entry(self, request: Request) -> Entry:
        return self._queue.entry(request.path_params["job"])

    async def _watch(self, job: str) -> AsyncIterator[str]:
        """From its beginning: {"output": line}, {"run": folder, "step": n, metric: value, ...}; at last the job itself."""
        output = Tail(self._queue.output(job))
        metrics: dict[str, Tail] = {}
        while not self._dispatch.stopping:
            entry = self._queue.entry(job)  # before the files: what they hold when it has ended is all
            for run in entry.runs:
                metrics.setdefault(run, Tail(Path(run) / METRICS))
            ended = entry.status in ENDED
            for line in output.lines(rest=ended):
                yield json.dumps({"output": line}) + "\n"
            for run, tail in metrics.items():
                for line in tail.lines():
                    yield json.dumps({"run": run} | json.loads(line)) + "\n"
            if ended:
                yield json.dumps(told(entry)) + "\n"
                return
            await asyncio.sleep(LOOK_S)


def told(entry: Entry) -> dict[str, Any]:
    """The job as it is shown."""
    values = asdict(entry)
    return {key: values[key] for key in ("job", "status", "error", "exit_status", "runs")} | dict(entry.asked)


def app(service: Service) -> Starlette:
    one = "/jobs/{job}"
    return Starlette(
        routes=[
            Route("/status", service.status),
            Route("/adapters", service.adapters),
            Route("/samples", service.samples, methods=["GET"]),
            Route("/samples", service.post, methods=["POST"]),
            Route("/jobs", service.jobs, methods=["GET"]),
            Route("/jobs", service.submit, methods=["POST"]),
            Route(one, service.job, methods=["GET"]),
            Route(one, service.cancel, methods=["DELETE"]),
            Route(f"{one}/losses", service.losses),
            Route(f"{one}/events", service.events),
        ],
        exception_handlers={JobError: _refused},
    )


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404 if "none such" in str(error) else 400)


def _read(body: bytes, shape: type[Asked]) -> Asked:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise JobError(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}; allowed: words, typed_in, samples") from None


def _losses(run: Path) -> list[dict[str, Any]]:
    """By step, also of what was cut off before; a step that was made again counts once."""
    files = sorted(run.glob("metrics.*jsonl"), key=lambda file: (file.name == METRICS, file.name))
    lines = [json.loads(line) for file in files for line in Tail(file).lines()]
    by_step = {line["step"]: {"run": str(run)} | line for line in lines if "train/loss" in line}
    return [by_step[step] for step in sorted(by_step)]


def _kept(job: str, run: Path) -> Iterator[dict[str, Any]]:
    """The adapter of a run, and the checkpoints it can go on from."""
    folders = [("adapter", run / "adapter"), *(("checkpoint", path) for path in sorted((run / CHECKPOINTS).glob("checkpoint-*")))]
    for kind, folder in folders:
        if folder.is_dir():
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            yield {"job": job, "kind": kind, "path": str(folder), "bytes": size, "created": int(folder.stat().st_mtime)}

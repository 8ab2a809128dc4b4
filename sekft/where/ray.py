"""One task of a Ray cluster, or of one that is begun for it on this machine."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sekft.errors import WhereError
from sekft.where.work import Handle, Work, at, obey

OF_TASK = ("num_cpus", "num_gpus", "memory", "resources", "accelerator_type", "runtime_env")


def described(work: Work) -> dict[str, Any]:
    """What would be submitted."""
    task = {key: value for key, value in work.options.items() if key in OF_TASK}
    cluster = {key: value for key, value in work.options.items() if key not in OF_TASK}
    return {"init": cluster, "task": {"name": work.name, **task}, "command": list(work.command), "output": str(work.output)}


def submit(work: Work) -> Handle:
    """Raises WhereError."""
    import ray

    told = described(work)
    try:
        with _ours(signal.SIGTERM):
            cluster = ray.init(**{"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR", **told["init"]})
        task = ray.remote(max_retries=0)(obey).options(**told["task"])
        reference = task.remote(told["command"], at(), at(work.output))
    except Exception as error:  # whatever Ray or the shape of an option raises means: not taken
        ray.shutdown()
        raise WhereError(_line(error)) from None

    def ended(wait_s: float) -> int | None:
        ready, _ = ray.wait([reference], timeout=wait_s)
        if not ready:
            return None
        try:
            return int(ray.get(reference))
        except ray.exceptions.RayError as error:
            raise WhereError(f"task {reference.task_id().hex()} did not end by itself: {_line(error)}") from None
        finally:
            ray.shutdown()

    def cancel() -> None:
        if not ray.is_initialized():  # it has ended; to ask anything would start another cluster
            return
        ray.cancel(reference)  # a KeyboardInterrupt there
        ray.wait([reference], timeout=60)
        ray.shutdown()

    return Handle(reference.task_id().hex(), ended, cancel, {"address": cluster.address_info.get("gcs_address")})


@contextmanager
def _ours(number: signal.Signals) -> Iterator[None]:
    """Ray takes signals for itself, and would end this process without a word."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, before)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

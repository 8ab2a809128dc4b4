"""One task of a Ray cluster, or of a cluster started for it on this machine."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sekft.errors import WhereError, one_line
from sekft.where.job_spec import JobHandle, JobSpec, absolute, execute

TASK_OPTIONS = ("num_cpus", "num_gpus", "memory", "resources", "accelerator_type", "runtime_env")
CANCEL_S = 60


def describe(job: JobSpec) -> dict[str, Any]:
    """The submission as it would be made."""
    task = {key: value for key, value in job.options.items() if key in TASK_OPTIONS}
    cluster = {key: value for key, value in job.options.items() if key not in TASK_OPTIONS}
    return {"init": cluster, "task": {"name": job.name, **task}, "command": list(job.command), "output": str(job.output)}


def submit(job: JobSpec) -> JobHandle:
    """Raises WhereError."""
    import ray

    submission = describe(job)
    try:
        with _keep_handler(signal.SIGTERM):
            cluster = ray.init(**{"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR", **submission["init"]})
        task = ray.remote(max_retries=0)(execute).options(**submission["task"])
        reference = task.remote(submission["command"], absolute(), absolute(job.output))
    except Exception as error:  # Ray and malformed options raise many types; each means the task was not accepted
        ray.shutdown()
        raise WhereError(one_line(error)[:300]) from None

    def wait(seconds: float) -> int | None:
        ready, _ = ray.wait([reference], timeout=seconds)
        if not ready:
            return None
        try:
            return int(ray.get(reference))
        except ray.exceptions.RayError as error:
            raise WhereError(f"task {reference.task_id().hex()} did not end by itself: {one_line(error)[:300]}") from None
        finally:
            ray.shutdown()

    def cancel() -> None:
        if not ray.is_initialized():  # the task is over; any call would start another cluster
            return
        ray.cancel(reference)  # raises KeyboardInterrupt in the task
        ray.wait([reference], timeout=CANCEL_S)
        ray.shutdown()

    return JobHandle(reference.task_id().hex(), wait, cancel, {"address": cluster.address_info.get("gcs_address")})


@contextmanager
def _keep_handler(number: signal.Signals) -> Iterator[None]:
    """Restore the signal's handler afterwards: ray.init installs its own, which ends this process without a message."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, before)

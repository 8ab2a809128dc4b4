"""A job of a Slurm cluster, by submitit; the `local` executor of submitit is a process of this machine."""

import time
from typing import Any

from sekft.errors import WhereError, one_line
from sekft.where.job_spec import JobHandle, JobSpec, absolute, execute

POLL_S = 0.5
FOLDER = "submitit"


def describe(job: JobSpec) -> dict[str, Any]:
    """The submission as it would be made."""
    options = dict(job.options)
    cluster = options.pop("cluster", "slurm")
    return {"executor": cluster, "parameters": {"name": job.name, **options}, "command": list(job.command), "output": str(job.output)}


def submit(job: JobSpec) -> JobHandle:
    """Raises WhereError."""
    import submitit

    submission = describe(job)
    try:
        executor = submitit.AutoExecutor(folder=(job.folder / FOLDER).absolute(), cluster=submission["executor"])
        executor.update_parameters(**submission["parameters"])
        submitted = executor.submit(execute, submission["command"], absolute(), absolute(job.output))
    except Exception as error:  # submitit, sbatch and malformed options raise many types; each means the job was not accepted
        raise WhereError(one_line(error)[:300]) from None

    def wait(seconds: float) -> int | None:
        deadline = time.monotonic() + seconds
        while not submitted.done():
            if time.monotonic() > deadline:
                return None
            time.sleep(min(POLL_S, seconds))
        try:
            return int(submitted.result())
        except Exception as error:
            raise WhereError(f"job {submitted.job_id} did not end by itself: {one_line(error)[:300]}") from None

    details = {"executor": submission["executor"], "folder": str(job.folder / FOLDER)}
    return JobHandle(str(submitted.job_id), wait, submitted.cancel, details)

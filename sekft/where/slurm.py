"""A job of a Slurm cluster, by submitit; its `local` executor is a process of this machine."""

import time
from typing import Any

from sekft.errors import WhereError
from sekft.where.work import Handle, Work, at, obey

POLL_S = 0.5
FOLDER = "submitit"


def described(work: Work) -> dict[str, Any]:
    """What would be submitted."""
    options = dict(work.options)
    cluster = options.pop("cluster", "slurm")
    return {"executor": cluster, "parameters": {"name": work.name, **options}, "command": list(work.command), "output": str(work.output)}


def submit(work: Work) -> Handle:
    """Raises WhereError."""
    import submitit

    told = described(work)
    try:
        executor = submitit.AutoExecutor(folder=(work.folder / FOLDER).absolute(), cluster=told["executor"])
        executor.update_parameters(**told["parameters"])
        job = executor.submit(obey, told["command"], at(), at(work.output))
    except Exception as error:  # whatever submitit, sbatch or the shape of an option raises means: not taken
        raise WhereError(_line(error)) from None

    def ended(wait_s: float) -> int | None:
        deadline = time.monotonic() + wait_s
        while not job.done():
            if time.monotonic() > deadline:
                return None
            time.sleep(min(POLL_S, wait_s))
        try:
            return int(job.result())
        except Exception as error:
            raise WhereError(f"job {job.job_id} did not end by itself: {_line(error)}") from None

    return Handle(str(job.job_id), ended, job.cancel, {"executor": told["executor"], "folder": str(work.folder / FOLDER)})


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

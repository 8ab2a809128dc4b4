"""One job at Hugging Face. The token is the client's own affair; secrets go from the environment into the request and nowhere else."""

import os
import time
from typing import Any

from sekft.errors import WhereError
from sekft.where.work import Handle, Work

POLL_S, PATIENCE_S = 5.0, 600.0  # between questions; without an answer
WELL = "COMPLETED"


def described(work: Work) -> dict[str, Any]:
    """What would be submitted, secrets by name."""
    options = {key: value for key, value in work.options.items() if value is not None}
    return {"name": work.name, "command": list(work.command), "secrets": list(work.secrets), **options}


def submit(work: Work) -> Handle:
    """Raises WhereError."""
    from huggingface_hub import HfApi, Volume
    from huggingface_hub._jobs_api import TERMINAL_JOB_STAGES
    from huggingface_hub.utils import get_token

    if missing := [name for name in work.secrets if not os.environ.get(name)]:
        raise WhereError(f"where.secrets: {missing[0]} is not in this environment")
    secrets = {name: os.environ[name] for name in work.secrets}
    told = described(work) | {"secrets": secrets or None}
    if volumes := told.pop("volumes", None):
        told["volumes"] = [Volume(**volume) for volume in volumes]
    api = HfApi()
    hidden = [*secrets.values(), get_token() or ""]
    try:
        job = api.run_job(**told)
    except Exception as error:  # no token, no network, no such flavour, an option it does not know: not taken
        raise WhereError(_line(error, hidden)) from None
    namespace = job.owner.name

    answered = [time.monotonic()]  # when it was last known how the job fares

    def ended(wait_s: float) -> int | None:
        try:
            seen = api.inspect_job(job_id=job.id, namespace=namespace)
        except Exception as error:  # the job goes on whatever becomes of a question about it
            if _is_refusal(error) or time.monotonic() - answered[0] > PATIENCE_S:
                raise WhereError(f"job {job.id}: {_line(error, hidden)}") from None
            time.sleep(POLL_S)
            return None
        answered[0] = time.monotonic()
        if seen.status.stage not in TERMINAL_JOB_STAGES:
            time.sleep(POLL_S)
            return None
        if seen.status.stage != WELL:
            said = f": {seen.status.message}" if seen.status.message else ""
            raise WhereError(f"job {job.id} ended as {seen.status.stage}{said}; see {job.url}")
        return 0

    return Handle(job.id, ended, lambda: api.cancel_job(job_id=job.id, namespace=namespace), {"url": job.url, "namespace": namespace})


def _is_refusal(error: Exception) -> bool:
    """Of the question itself; anything else may pass."""
    from huggingface_hub.errors import HfHubHTTPError

    return isinstance(error, HfHubHTTPError) and 400 <= error.response.status_code < 500 and error.response.status_code != 429


def _line(error: Exception, hidden: list[str]) -> str:
    line = " ".join(str(error).split()) or type(error).__name__
    for secret in filter(None, hidden):
        line = line.replace(secret, "***")
    return line[:300]

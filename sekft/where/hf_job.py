"""One job at Hugging Face. huggingface_hub finds the token itself; secrets go from the environment into the request only."""

import os
import time
from typing import Any

from sekft.errors import WhereError, one_line
from sekft.where.job_spec import JobHandle, JobSpec

POLL_S = 5.0
PATIENCE_S = 600.0  # without an answer from the hub
COMPLETED = "COMPLETED"


def describe(job: JobSpec) -> dict[str, Any]:
    """The submission as it would be made, secrets by name."""
    options = {key: value for key, value in job.options.items() if value is not None}
    return {"name": job.name, "command": list(job.command), "secrets": list(job.secrets), **options}


def submit(job: JobSpec) -> JobHandle:
    """Raises WhereError."""
    from huggingface_hub import HfApi, Volume
    from huggingface_hub._jobs_api import TERMINAL_JOB_STAGES
    from huggingface_hub.utils import get_token

    if missing := [name for name in job.secrets if not os.environ.get(name)]:
        raise WhereError(f"where.secrets: {missing[0]} is not set in this environment")
    secrets = {name: os.environ[name] for name in job.secrets}
    request = describe(job) | {"secrets": secrets or None}
    if volumes := request.pop("volumes", None):
        request["volumes"] = [Volume(**volume) for volume in volumes]
    api = HfApi()
    hidden = [*secrets.values(), get_token() or ""]
    try:
        submitted = api.run_job(**request)
    except Exception as error:  # no token, no network, an unknown flavour or option: each means the job was not accepted
        raise WhereError(_line(error, hidden)) from None
    namespace = submitted.owner.name
    last_answer = time.monotonic()

    def wait(seconds: float) -> int | None:
        nonlocal last_answer
        try:
            info = api.inspect_job(job_id=submitted.id, namespace=namespace)
        except Exception as error:  # the job runs on, whatever happens to one request about it
            if _is_refusal(error) or time.monotonic() - last_answer > PATIENCE_S:
                raise WhereError(f"job {submitted.id}: {_line(error, hidden)}") from None
            time.sleep(POLL_S)
            return None
        last_answer = time.monotonic()
        if info.status.stage not in TERMINAL_JOB_STAGES:
            time.sleep(POLL_S)
            return None
        if info.status.stage != COMPLETED:
            message = f": {info.status.message}" if info.status.message else ""
            raise WhereError(f"job {submitted.id} ended as {info.status.stage}{message}; see {submitted.url}")
        return 0

    def cancel() -> None:
        api.cancel_job(job_id=submitted.id, namespace=namespace)

    return JobHandle(submitted.id, wait, cancel, {"url": submitted.url, "namespace": namespace})


def _is_refusal(error: Exception) -> bool:
    """Whether the hub refused the request itself; any other error may be temporary."""
    from huggingface_hub.errors import HfHubHTTPError

    return isinstance(error, HfHubHTTPError) and 400 <= error.response.status_code < 500 and error.response.status_code != 429


def _line(error: Exception, hidden: list[str]) -> str:
    line = one_line(error)
    for secret in filter(None, hidden):
        line = line.replace(secret, "***")
    return line[:300]

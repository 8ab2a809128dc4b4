"""Several processes of this machine that train one adapter, started and ended together; they run no Hydra, this module no torch."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from sekft.errors import WhereError
from sekft.where.job_spec import JobHandle, JobSpec, terminate

RENDEZVOUS = "SEKFT_RENDEZVOUS"  # environment variable: the file by which the processes find each other
POLL_S = 0.1


def describe(job: JobSpec, processes: int) -> dict[str, Any]:
    """The processes as they would be started."""
    return {"processes": processes, "command": list(job.command), "output": str(job.folder / "RANK.log")}


def start(job: JobSpec, processes: int) -> JobHandle:
    """Start one process per rank, with RANK, WORLD_SIZE and RENDEZVOUS in its environment; see sekft.train.ranks."""
    scratch = tempfile.TemporaryDirectory(prefix="sekft-ranks-")
    threads = str(max(1, (os.cpu_count() or 1) // processes))
    ranks: list[subprocess.Popen[bytes]] = []
    for rank in range(processes):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), RENDEZVOUS: f"{scratch.name}/file"}
        environment = {"OMP_NUM_THREADS": threads, **os.environ, **own, "LOCAL_WORLD_SIZE": str(processes)}
        with (job.folder / f"{rank}.log").open("ab") as output:
            ranks.append(
                subprocess.Popen(
                    job.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
                )
            )

    def cancel() -> None:
        for rank in ranks:
            rank.terminate()
        for rank in ranks:
            terminate(rank)
        scratch.cleanup()

    def wait(seconds: float) -> int | None:
        deadline = time.monotonic() + seconds
        while None in (statuses := [rank.poll() for rank in ranks]) and not any(statuses):
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_S)
        cancel()
        if any(statuses):
            raise WhereError(_failure(statuses, job.folder))
        return 0

    return JobHandle(",".join(str(rank.pid) for rank in ranks), wait, cancel)


def _failure(statuses: list[int | None], folder: Path) -> str:
    """Names the rank that was killed, else the first that failed: the other ranks may have failed because that one was gone."""
    rank, status = min(((rank, status) for rank, status in enumerate(statuses) if status), key=lambda failed: (failed[1] > 0, failed[0]))
    end = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return f"where.train=torchrun: rank {rank} of {len(statuses)} {end}, the others were ended; its output: {folder / f'{rank}.log'}"

"""Several processes of this machine that train one adapter: started together, ended together. No Hydra in them, no torch here."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from sekft.errors import WhereError
from sekft.where.work import Handle, Work, end

MEETING = "SEKFT_MEETING"
POLL_S = 0.1


def described(work: Work, processes: int) -> dict[str, Any]:
    """What would be started."""
    return {"processes": processes, "command": list(work.command), "output": str(work.folder / "RANK.log")}


def start(work: Work, processes: int) -> Handle:
    """Each knows its rank by RANK and the others by WORLD_SIZE and a file to meet in; see sekft.train.ranks."""
    meeting = tempfile.TemporaryDirectory(prefix="sekft-ranks-")
    threads = str(max(1, (os.cpu_count() or 1) // processes))
    ranks: list[subprocess.Popen[bytes]] = []
    for rank in range(processes):
        about = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), MEETING: f"{meeting.name}/file"}
        environment = {"OMP_NUM_THREADS": threads, **os.environ, **about, "LOCAL_WORLD_SIZE": str(processes)}
        with (work.folder / f"{rank}.log").open("ab") as printed:
            ranks.append(
                subprocess.Popen(
                    work.command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, env=environment, start_new_session=True
                )
            )

    def cancel() -> None:
        for rank in ranks:
            rank.terminate()
        for rank in ranks:
            end(rank)
        meeting.cleanup()

    def ended(wait_s: float) -> int | None:
        deadline = time.monotonic() + wait_s
        while None in (statuses := [rank.poll() for rank in ranks]) and not any(statuses):
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_S)
        cancel()
        if any(statuses):
            raise WhereError(_fallen(statuses, work.folder))
        return 0

    return Handle(",".join(str(rank.pid) for rank in ranks), ended, cancel)


def _fallen(statuses: list[int | None], folder: Path) -> str:
    """The rank that died of itself, or the first that failed: the others may have failed for want of it."""
    rank, status = min(((rank, status) for rank, status in enumerate(statuses) if status), key=lambda one: (one[1] > 0, one[0]))
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return f"where.train=torchrun: rank {rank} of {len(statuses)} {how}, the others were ended; its output: {folder / f'{rank}.log'}"

"""Leaks of a long sweep in one process: memory, threads and open files after each job, and containers left behind.

python benchmarks/memory.py [jobs=30] [overrides of sekft.train]

Fails if the memory after the last job is over 1.1 times that after the fifth, or if a container is left.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

FIXED = ("sandbox=auto", "tracker=none", "trainer.max_steps=4", "eval.episodes=2", "eval.baselines=false", "split.train_scenarios=32")
WARM_UP, MAX_RATIO = 5, 1.1  # jobs until memory is steady; allowed memory after the last job over that after the warm-up
POLL_S = 0.05


@dataclass(frozen=True)
class Usage:
    """The process after a job."""

    job: int
    rss_mib: float
    threads: int
    files: int


def main(arguments: Sequence[str]) -> None:
    own = dict(argument.split("=", 1) for argument in arguments if argument.startswith("jobs="))
    jobs = int(own.get("jobs", "30"))
    before = containers()
    with tempfile.TemporaryDirectory(prefix="sekft-memory-") as scratch:
        words = [*FIXED, *(argument for argument in arguments if not argument.startswith("jobs="))]
        usage = watch(Path(scratch), [*words, f"seed={','.join(map(str, range(jobs)))}"], jobs)
    Console().print(table(usage))
    left = containers() - before
    ratio = usage[-1].rss_mib / usage[min(WARM_UP, jobs) - 1].rss_mib
    print(f"memory after job {jobs} / after job {min(WARM_UP, jobs)}: {ratio:.3f}; containers left: {len(left)}")
    if ratio > MAX_RATIO or left:
        raise SystemExit("too much memory, or a container, is left behind")


def watch(home: Path, words: Sequence[str], jobs: int) -> list[Usage]:
    with (home / "out.txt").open("w") as out:
        command = [sys.executable, "-m", "sekft.train", "-m", *words, "hydra.sweep.dir=jobs"]
        process = subprocess.Popen(command, cwd=home, stdout=out, stderr=out)
        usage: list[Usage] = []
        while process.poll() is None:
            if (home / "jobs" / str(len(usage)) / "summary.json").exists():
                usage.append(measure(process.pid, len(usage) + 1))
            time.sleep(POLL_S)
    if process.returncode or len(usage) < jobs:
        raise SystemExit((home / "out.txt").read_text()[-2000:])
    return usage


def measure(pid: int, job: int) -> Usage:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Usage(job, int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), len(list(Path(f"/proc/{pid}/fd").iterdir())))


def containers() -> set[str]:
    """Ids of sekft's containers; empty if no engine answers."""
    listed = subprocess.run(["docker", "ps", "-aq", "--filter", "label=sekft"], capture_output=True, text=True)
    return set(listed.stdout.split())


def table(usage: Sequence[Usage]) -> Table:
    shown = Table("after job", "memory, MiB", "threads", "open files", title=f"{len(usage)} jobs in one process")
    for one in usage:
        if one.job <= WARM_UP or one.job % WARM_UP == 0 or one.job == len(usage):
            shown.add_row(str(one.job), f"{one.rss_mib:.0f}", str(one.threads), str(one.files))
    return shown


if __name__ == "__main__":
    main(sys.argv[1:])

"""What many jobs leave behind in one process: its memory after each job of a sweep, threads, open files, containers.

python benchmarks/memory.py [jobs=30] [overrides of sekft.train]

Fails where the last job's memory is over 1.1 times the fifth's, or where a container or a bubblewrap place is left.
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
WARM, MOST = 5, 1.1  # jobs after which all is in memory that is needed; how much more the last job may have
LOOK_S = 0.05


@dataclass(frozen=True)
class Seen:
    """Of the process when a job has ended."""

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
        seen = watched(Path(scratch), [*words, f"seed={','.join(map(str, range(jobs)))}"], jobs)
    Console().print(table(seen))
    left = containers() - before
    ratio = seen[-1].rss_mib / seen[min(WARM, jobs) - 1].rss_mib
    print(f"memory after job {jobs} / after job {min(WARM, jobs)}: {ratio:.3f}; containers left: {len(left)}")
    if ratio > MOST or left:
        raise SystemExit("too much is left behind")


def watched(home: Path, words: Sequence[str], jobs: int) -> list[Seen]:
    with (home / "out.txt").open("w") as out:
        command = [sys.executable, "-m", "sekft.train", "-m", *words, "hydra.sweep.dir=jobs"]
        process = subprocess.Popen(command, cwd=home, stdout=out, stderr=out)
        seen: list[Seen] = []
        while process.poll() is None:
            if (home / "jobs" / str(len(seen)) / "summary.json").exists():
                seen.append(look(process.pid, len(seen) + 1))
            time.sleep(LOOK_S)
    if process.returncode or len(seen) < jobs:
        raise SystemExit((home / "out.txt").read_text()[-2000:])
    return seen


def look(pid: int, job: int) -> Seen:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Seen(job, int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), len(list(Path(f"/proc/{pid}/fd").iterdir())))


def containers() -> set[str]:
    """Ours; none where no engine answers."""
    listed = subprocess.run(["docker", "ps", "-aq", "--filter", "label=sekft"], capture_output=True, text=True)
    return set(listed.stdout.split())


def table(seen: Sequence[Seen]) -> Table:
    shown = Table("after job", "memory, MiB", "threads", "open files", title=f"{len(seen)} jobs in one process")
    for one in seen:
        if one.job <= WARM or one.job % WARM == 0 or one.job == len(seen):
            shown.add_row(str(one.job), f"{one.rss_mib:.0f}", str(one.threads), str(one.files))
    return shown


if __name__ == "__main__":
    main(sys.argv[1:])

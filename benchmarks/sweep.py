"""What a sweep saves: the same trainings in separate processes, as jobs of one process, and as jobs of two (joblib).

python benchmarks/sweep.py [jobs=8] [json=lines.jsonl] [overrides of sekft.train, such as trainer.max_steps=60 eval.episodes=16]

The training episodes are collected before. Each method has its own folder, so none finds another's cached episodes of the base; within a
method they are cached, as for every user. The adapters of all methods must be the same, byte for byte.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

PARTS = ("load", "train", "eval")
FIXED = ("sandbox=bwrap", "tracker=none", "trainer.max_steps=60", "eval.episodes=16")


@dataclass(frozen=True)
class Measured:
    """Wall seconds of one method. load, train, eval: summed over the jobs, from their summaries; the rest is starting and preparing."""

    method: str
    seconds: float
    load: float
    train: float
    eval: float
    base_loads: int


def main(arguments: Sequence[str]) -> None:
    own = dict(argument.split("=", 1) for argument in arguments if argument.startswith(("jobs=", "json=")))
    words = [*FIXED, *(argument for argument in arguments if argument.split("=")[0] not in ("jobs", "json"))]
    seeds = range(int(own.get("jobs", "8")))
    with tempfile.TemporaryDirectory(prefix="sekft-sweep-") as scratch:
        home = Path(scratch)
        command("collect", home, "sandbox=bwrap", "hydra.run.dir=episodes")
        words.append(f"data.sources.shell.path={home / 'episodes' / 'trajectories.jsonl'}")
        methods = {"swept": [], "spread": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]}
        results = [
            separate(home / "separate", words, seeds),
            *(swept(home / name, [*words, *more], seeds) for name, more in methods.items()),
        ]
        for seed in seeds:
            if len({adapter(home / name / "jobs" / str(seed)) for name in ("separate", *methods)}) > 1:
                raise SystemExit(f"seed={seed}: the adapter of the sweep differs from that of a separate process")
    Console().print(table(results, len(seeds)))
    if own.get("json"):
        Path(own["json"]).write_text("".join(f"{json.dumps(asdict(result))}\n" for result in results))


def separate(home: Path, words: Sequence[str], seeds: Sequence[int]) -> Measured:
    home.mkdir()
    started = time.monotonic()
    for seed in seeds:
        command("train", home, *words, f"seed={seed}", f"hydra.run.dir=jobs/{seed}")
    return measured("separate processes", time.monotonic() - started, home)


def swept(home: Path, words: Sequence[str], seeds: Sequence[int]) -> Measured:
    home.mkdir()
    started = time.monotonic()
    command("train", home, "-m", *words, f"seed={','.join(map(str, seeds))}", "hydra.sweep.dir=jobs")
    return measured("a sweep of two processes" if "spread" in home.name else "one sweep", time.monotonic() - started, home)


def command(name: str, home: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", f"sekft.{name}", *words], cwd=home, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"sekft.{name} {' '.join(words)}: {done.stderr.strip()}")


def measured(method: str, seconds: float, home: Path) -> Measured:
    summaries = [json.loads(file.read_text()) for file in sorted((home / "jobs").glob("*/summary.json"))]
    parts = {part: sum(summary["seconds"][part] for summary in summaries) for part in PARTS}
    return Measured(method, seconds, **parts, base_loads=sum(summary["base_loads"] for summary in summaries))


def adapter(run: Path) -> bytes:
    return (run / "adapter" / "adapter_model.safetensors").read_bytes()


def table(results: Sequence[Measured], jobs: int) -> Table:
    shown = Table(title=f"{jobs} jobs, the same adapters; wall seconds")
    for column in ("method", "all", "of the first", *PARTS, "starting, preparing", "base loads"):
        shown.add_column(column, justify="left" if column == "method" else "right")
    for result in results:
        parts = [getattr(result, part) for part in PARTS]
        numbers = [f"{number:.1f}" for number in (*parts, result.seconds - sum(parts))]
        share = f"{result.seconds / results[0].seconds:.2f}"
        shown.add_row(result.method, f"{result.seconds:.1f}", share, *numbers, str(result.base_loads))
    return shown


if __name__ == "__main__":
    main(sys.argv[1:])

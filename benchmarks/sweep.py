"""What a sweep saves: the same trainings as processes of their own, as jobs of one process, and of two (joblib), and where the time goes.

python benchmarks/sweep.py [jobs=8] [json=lines.jsonl] [overrides of sekft.train, such as trainer.max_steps=60 eval.episodes=16]

The episodes to learn from are collected before, for both. Each way has a folder of its own, so neither finds episodes of the other's base;
within a way they are remembered, as for every user. The adapters of both ways must be the same, byte for byte.
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

PARTS = ("load", "train", "test")
FIXED = ("sandbox=bwrap", "tracker=none", "trainer.max_steps=60", "eval.episodes=16")


@dataclass(frozen=True)
class Measured:
    """seconds: wall, of everything. load, train, evaluation: summed over the jobs, as their summaries say; the rest is starting and preparing."""

    way: str
    seconds: float
    load: float
    train: float
    evaluation: float
    base_loads: int


def main(arguments: Sequence[str]) -> None:
    own = dict(argument.split("=", 1) for argument in arguments if argument.startswith(("jobs=", "json=")))
    words = [*FIXED, *(argument for argument in arguments if argument.split("=")[0] not in ("jobs", "json"))]
    seeds = range(int(own.get("jobs", "8")))
    with tempfile.TemporaryDirectory(prefix="sekft-sweep-") as scratch:
        home = Path(scratch)
        command("collect", home, "sandbox=bwrap", "hydra.run.dir=episodes")
        words.append(f"data.sources.shell.path={home / 'lives' / 'trajectories.jsonl'}")
        ways = {"swept": [], "spread": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]}
        results = [separate(home / "separate", words, seeds), *(swept(home / way, [*words, *how], seeds) for way, how in ways.items())]
        for seed in seeds:
            if len({adapter(home / way / "jobs" / str(seed)) for way in ("separate", *ways)}) > 1:
                raise SystemExit(f"seed={seed}: the adapter of the sweep is not the one of a process of its own")
    Console().print(table(results, len(seeds)))
    if own.get("json"):
        Path(own["json"]).write_text("".join(f"{json.dumps(asdict(result))}\n" for result in results))


def separate(home: Path, words: Sequence[str], seeds: Sequence[int]) -> Measured:
    home.mkdir()
    started = time.monotonic()
    for seed in seeds:
        command("train", home, *words, f"seed={seed}", f"hydra.run.dir=jobs/{seed}")
    return measured("processes of their own", time.monotonic() - started, home)


def swept(home: Path, words: Sequence[str], seeds: Sequence[int]) -> Measured:
    home.mkdir()
    started = time.monotonic()
    command("train", home, "-m", *words, f"seed={','.join(map(str, seeds))}", "hydra.sweep.dir=jobs")
    return measured("a sweep of two processes" if "spread" in home.name else "one sweep", time.monotonic() - started, home)


def command(name: str, home: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", f"sekft.{name}", *words], cwd=home, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"sekft.{name} {' '.join(words)}: {done.stderr.strip()}")


def measured(way: str, seconds: float, home: Path) -> Measured:
    summaries = [json.loads(file.read_text()) for file in sorted((home / "jobs").glob("*/summary.json"))]
    parts = {part: sum(summary["seconds"][part] for summary in summaries) for part in PARTS}
    return Measured(way, seconds, **parts, base_loads=sum(summary["base_loads"] for summary in summaries))


def adapter(run: Path) -> bytes:
    return (run / "adapter" / "adapter_model.safetensors").read_bytes()


def table(results: Sequence[Measured], jobs: int) -> Table:
    shown = Table(title=f"{jobs} jobs, the same adapters; wall seconds")
    for column in ("way", "all", "of the first", *PARTS, "starting, preparing", "base loads"):
        shown.add_column(column, justify="left" if column == "way" else "right")
    for result in results:
        parts = [getattr(result, part) for part in PARTS]
        numbers = [f"{number:.1f}" for number in (*parts, result.seconds - sum(parts))]
        share = f"{result.seconds / results[0].seconds:.2f}"
        shown.add_row(result.way, f"{result.seconds:.1f}", share, *numbers, str(result.base_loads))
    return shown


if __name__ == "__main__":
    main(sys.argv[1:])

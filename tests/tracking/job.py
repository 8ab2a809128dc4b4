"""A job that mirrors itself to W&B in a process of its own, and W&B's own reader for what it left."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import sekft

# a job is a process of its own: W&B reads its environment once and ends with the process
OPENING = """
import logging, os, signal, sys
from pathlib import Path
from sekft.config import Tracker, TrackerConfig
from sekft.tracking.mirror import Labels
from sekft.tracking.tracked import open_mirror
logging.basicConfig(format="%(message)s")
def mirror(run="lora.r=8", **tracker):
    settings = {"seed": 7, "lora": {"r": 8, "alpha": None}, "tracker": {"kind": Tracker.wandb}}
    labels = Labels(run, "sweep", "train", ["tiny", "tiny", "x" * 100, ""], Path("run"))
    return open_mirror(TrackerConfig(**{"kind": Tracker.wandb, **tracker}), settings, labels)
"""
SHORT_JOB = """
with mirror() as shown:
    shown.log({"train/loss": 1.0}, 1)
    print(shown.message)
"""
KEY = "a" * 40
UNREACHABLE = "http://127.0.0.1:9"


def environment(folder: Path, **more: str) -> dict[str, str]:
    source = str(Path(sekft.__file__).parents[1])
    own = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "PYTHONPATH": source}
    return own | {"WANDB_BASE_URL": UNREACHABLE, "WANDB_ERROR_REPORTING": "false", "no_proxy": "*"} | more


def work(folder: Path, job: str, timeout_s: float = 30, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", OPENING + job],
        cwd=folder,
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def shown_runs(folder: Path) -> list[Path]:
    return sorted((folder / "outputs" / "wandb").glob("*run-*"))


def inspect(run: Path, *options: str) -> str:
    """What W&B's own reader says about a run; its options are documented in `wandb leet inspect --help`."""
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", *options, str(run)]
    return subprocess.run(command, env=environment(run), check=True, capture_output=True, text=True).stdout


def overview(run: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(inspect(run, "--summary"))
    return value


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in map(json.loads, inspect(run).splitlines()) if record["type"] == kind]

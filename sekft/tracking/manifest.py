"""The software and hardware of a run: package versions, interpreter, machine, and the commit of the code with local changes."""

import hashlib
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "sekft",
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "trl",
    "accelerate",
    "bitsandbytes",
    "datasets",
    "numpy",
    "hydra-core",
    "omegaconf",
    "docker",
    "wandb",
)
TIMEOUT_S = 10.0


def manifest() -> dict[str, Any]:
    """The fields versions, python, platform, hardware and git of run.json."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hardware": hardware(),
        "git": commit(Path(__file__).parents[2]),
    }


def versions() -> dict[str, str | None]:
    """Installed version of each package in PACKAGES, None if it is not installed. Imports none of them."""
    installed: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = None
    return installed


def hardware() -> dict[str, Any]:
    """Name of the processor, cores available to this process, memory in GiB, and one line per GPU from nvidia-smi."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": _processor(), "cores": cores, "memory_gib": round(memory, 1), "gpus": _gpus()}


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _gpus() -> list[str]:
    """Name, memory and driver of each GPU; empty without nvidia-smi."""
    if not shutil.which("nvidia-smi"):
        return []
    output = _output(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"], dict(os.environ))
    return (output or "").splitlines()


def commit(root: Path) -> dict[str, Any] | None:
    """The commit of the checkout at root: sha, dirty, and changes if it is dirty. None without a .git in root or without a commit.

    changes: SHA-256 of `git status --porcelain` and of the diff to the commit. It covers the names of untracked files, not their
    contents; the field `code` of run.json covers the contents of sekft's files.
    """
    if not (root / ".git").exists():  # a copy installed inside another project's checkout must not report that project's commit
        return None
    sha = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain")
    if sha is None or changes is None:
        return None
    record: dict[str, Any] = {"sha": sha, "dirty": bool(changes)}
    if changes:
        diff = _git(root, "diff", "HEAD", "--binary", "--no-ext-diff")
        record["changes"] = hashlib.sha256(f"{changes}\n{diff}".encode()).hexdigest()
    return record


def _git(root: Path, *arguments: str) -> str | None:
    # a git hook exports GIT_DIR, which would select the wrong checkout; `git status` needs no lock
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    return _output(["git", "-C", str(root), *arguments], environment)


def _output(command: list[str], environment: dict[str, str]) -> str | None:
    """Standard output of the command, stripped; None if it fails or takes longer than TIMEOUT_S."""
    try:
        completed = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return completed.stdout.strip() if completed.returncode == 0 else None

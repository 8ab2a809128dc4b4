"""What a run was made of: package versions, interpreter, machine, and the commit of the code with what was changed since."""

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
    """The keys versions, python, platform, hardware and git of a run record."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hardware": hardware(),
        "git": commit(Path(__file__).parents[2]),
    }


def versions() -> dict[str, str | None]:
    """Installed version of each key package, None where it is absent; nothing is imported."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def hardware() -> dict[str, Any]:
    """The processor by name, the cores this process may use, memory in GiB, and the GPUs the driver names."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": _processor(), "cores": cores, "memory_gib": round(memory, 1), "gpus": _gpus()}


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        named = []
    return named[0] if named else platform.processor() or platform.machine()


def _gpus() -> list[str]:
    """Name, memory and driver of each; nothing is asked where no driver is."""
    if not shutil.which("nvidia-smi"):
        return []
    answer = _said(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"], dict(os.environ))
    return (answer or "").splitlines()


def commit(root: Path) -> dict[str, Any] | None:
    """{"sha", "dirty"} of the checkout whose top is root, and of changes their digest; None without .git there, or a commit.

    changes: sha256 over the diff to that commit and the names of files that are not in it; what is in sekft's own is in `code`.
    """
    if not (root / ".git").exists():  # an installed copy inside somebody else's checkout has no commit of its own
        return None
    sha = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain")
    if sha is None or changes is None:
        return None
    about: dict[str, Any] = {"sha": sha, "dirty": bool(changes)}
    if changes:
        diff = _git(root, "diff", "HEAD", "--binary", "--no-ext-diff")
        about["changes"] = hashlib.sha256(f"{changes}\n{diff}".encode()).hexdigest()
    return about


def _git(root: Path, *arguments: str) -> str | None:
    # a git hook exports GIT_DIR, which would name the wrong checkout; a status needs no lock
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    return _said(["git", "-C", str(root), *arguments], environment)


def _said(command: list[str], environment: dict[str, str]) -> str | None:
    try:
        answer = subprocess.run(
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
    return answer.stdout.strip() if answer.returncode == 0 else None

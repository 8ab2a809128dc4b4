"""What a run was made of: package versions, interpreter, machine, and the commit of the code."""

import os
import platform
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
GIT_TIMEOUT_S = 10.0


def manifest() -> dict[str, Any]:
    """The keys versions, python, platform and git of a run record."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
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


def commit(root: Path) -> dict[str, Any] | None:
    """{"sha", "dirty"} of the checkout whose top is root; None without .git there, without git, or before the first commit."""
    if not (root / ".git").exists():  # an installed copy inside somebody else's checkout has no commit of its own
        return None
    sha = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain")
    return None if sha is None or changes is None else {"sha": sha, "dirty": bool(changes)}


def _git(root: Path, *arguments: str) -> str | None:
    # a git hook exports GIT_DIR, which would name the wrong checkout; a status needs no lock
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    command = ["git", "-C", str(root), *arguments]
    try:
        answer = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GIT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None

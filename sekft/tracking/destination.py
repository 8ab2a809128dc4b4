"""Where the mirror of a run can go without asking anybody and without waiting: W&B online, W&B offline, or nowhere."""

import os
import queue
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal

PROBE_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Destination:
    """mode, and in a few words why it is not online."""

    mode: Literal["online", "offline", "off"]
    reason: str = ""


def prepare(root: Path) -> Any:
    """Start W&B silently, keeping its own files in root/wandb too, and return its global settings."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read once, at import
    # tables are staged as files until `wandb sync`, and its service writes logs: HOME may be unwritable, or gone by then
    os.environ.setdefault("WANDB_DATA_DIR", str(root / "wandb"))
    os.environ.setdefault("WANDB_CACHE_DIR", str(root))  # W&B appends /wandb to this one
    import wandb

    return wandb.setup(settings=wandb.Settings(console="off", silent=True, quiet=True)).settings


def choose(settings: Any) -> Destination:
    """Online only with a mode that allows it, a well-formed key and a host that answers. settings: those of prepare()."""
    if settings.mode == "disabled":
        return Destination("off", "WANDB_MODE=disabled")
    if settings.mode in ("offline", "dryrun"):
        return Destination("offline", f"WANDB_MODE={settings.mode}")
    missing = _missing_key()
    if missing:
        return Destination("offline", missing)
    if not answers(settings.base_url):
        return Destination("offline", f"{settings.base_url} does not answer")
    return Destination("online")


def _missing_key() -> str:
    import wandb

    try:
        return "" if wandb.login(prompt=False, verify=False) else "no API key"
    except (wandb.errors.AuthenticationError, wandb.errors.UsageError):
        return "the API key is malformed"


def answers(url: str, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Whether an HTTP server is there, through the proxy if one is set; any status counts. Returns within timeout_s."""
    heard: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask() -> None:
        try:
            urllib.request.build_opener().open(url, timeout=timeout_s).close()  # urlopen keeps the first proxy it saw
            heard.put(True)
        except urllib.error.HTTPError:
            heard.put(True)
        except (OSError, ValueError, HTTPException):
            heard.put(False)

    threading.Thread(target=ask, daemon=True).start()  # a thread, because looking up a name knows no time-out
    try:
        return heard.get(timeout=timeout_s)
    except queue.Empty:
        return False

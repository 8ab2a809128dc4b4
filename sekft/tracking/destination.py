"""The choice between W&B online, W&B offline and no W&B, made without a question to the user and within two seconds."""

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
    """Where the mirror writes. reason: why mode is not online; empty if it is."""

    mode: Literal["online", "offline", "off"]
    reason: str = ""


def prepare(root: Path) -> Any:
    """Start W&B without output, with all its files in root/wandb, and return its global settings."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # W&B reads it once, at import
    # W&B stages tables as files until `wandb sync`, and its service writes logs; by default both go to HOME, which may be read-only
    os.environ.setdefault("WANDB_DATA_DIR", str(root / "wandb"))
    os.environ.setdefault("WANDB_CACHE_DIR", str(root))  # W&B appends /wandb to this one
    import wandb

    return wandb.setup(settings=wandb.Settings(console="off", silent=True, quiet=True)).settings


def choose(settings: Any) -> Destination:
    """The destination: online needs a mode that allows it, a well-formed API key and a host that answers. settings: from prepare()."""
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
    """Why there is no usable API key; empty if there is one."""
    import wandb

    try:
        return "" if wandb.login(prompt=False, verify=False) else "no API key"
    except (wandb.errors.AuthenticationError, wandb.errors.UsageError):
        return "the API key is malformed"


def answers(url: str, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Whether an HTTP server answers at the URL, with any status; uses the proxy if one is set. Returns within timeout_s."""
    results: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def probe() -> None:
        try:
            urllib.request.build_opener().open(url, timeout=timeout_s).close()  # not urlopen, which caches the first proxy
            results.put(True)
        except urllib.error.HTTPError:
            results.put(True)
        except (OSError, ValueError, HTTPException):
            results.put(False)

    threading.Thread(target=probe, daemon=True).start()  # a thread, because the DNS lookup has no time-out
    try:
        return results.get(timeout=timeout_s)
    except queue.Empty:
        return False

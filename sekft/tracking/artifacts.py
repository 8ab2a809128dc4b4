"""Adapters as W&B knows them: which artifact a folder was stored as, and which one a run makes use of.

Covers: a folder changed since it was stored, one that was never stored, a W&B that is offline or does not know the artifact.
Does not cover: an artifact stored offline and not sent by `wandb sync` yet; nothing can be linked to it, the run's config names it.
"""

import json
import logging
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekft.tracking.files import plain
from sekft.tracking.record import one_line

STORED = "artifact.json"  # beside the adapter's folder: where it was stored
LINK_TIMEOUT_S = 20.0

logger = logging.getLogger(__name__)


def of_folder(name: str, folder: Path, metadata: Mapping[str, Any] | None = None) -> Any:
    import wandb

    artifact = wandb.Artifact(name, type="adapter", metadata=plain(metadata or {}))
    # absolute: `wandb sync` resolves the names in the log where it is called
    artifact.add_dir(str(folder.absolute()), policy="immutable", skip_cache=True)
    return artifact


def place(run: Any, artifact: Any) -> dict[str, Any]:
    """What STORED holds. entity: None offline, where nobody is logged in. An artifact has its run's id in its name: one version."""
    name = f"{artifact.name}:v0"
    return {"artifact": name, "digest": artifact.digest, "entity": run.entity or None, "project": run.project, "run": run.id}


def known(folder: Path) -> dict[str, Any]:
    """The folder's digest, and where training stored it; artifact is None if that is not known or the folder was changed since."""
    digest = of_folder("adapter", folder).digest
    try:
        stored = json.loads((folder.parent / STORED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = None
    return stored if isinstance(stored, dict) and stored.get("digest") == digest else {"artifact": None, "digest": digest}


def link(run: Any, adapters: Mapping[str, Mapping[str, Any]]) -> None:
    """run.use_artifact for each that was stored; what fails or takes long is said, and the run goes on."""
    for name, about in adapters.items():
        if about.get("artifact"):
            path = "/".join(str(part) for part in (about.get("entity"), about.get("project"), about["artifact"]) if part)
            if trouble := _use(run, path):
                logger.warning("W&B: %s is not linked to %s: %s", name, path, trouble)


def _use(run: Any, path: str) -> str:
    """What went wrong; empty if nothing did."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask() -> None:
        try:
            run.use_artifact(path, type="adapter")
            heard.put("")
        except Exception as error:
            heard.put(one_line(error))

    threading.Thread(target=ask, daemon=True).start()  # W&B's client retries for minutes
    try:
        return heard.get(timeout=LINK_TIMEOUT_S)
    except queue.Empty:
        return f"no answer within {LINK_TIMEOUT_S:g} s"

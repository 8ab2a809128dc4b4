"""W&B artifacts of adapters: build one from a folder, record where it was stored, and link a run to it.

Covers: a folder that changed since it was stored, a folder that was never stored, W&B offline, an artifact missing at W&B.
Does not cover: an artifact that was stored offline and is not synced yet. No run can be linked to it; the run's config names it.
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

STORED = "artifact.json"  # file next to the adapter's folder: the artifact that holds the adapter
LINK_TIMEOUT_S = 20.0

logger = logging.getLogger(__name__)


def folder_artifact(name: str, folder: Path, metadata: Mapping[str, Any] | None = None) -> Any:
    """A W&B artifact of type adapter with all files of the folder."""
    import wandb

    artifact = wandb.Artifact(name, type="adapter", metadata=plain(metadata or {}))
    # absolute, because `wandb sync` resolves paths in the log against its own working directory
    artifact.add_dir(str(folder.absolute()), policy="immutable", skip_cache=True)
    return artifact


def stored_record(run: Any, artifact: Any) -> dict[str, Any]:
    """The content of STORED: artifact, digest, entity, project, run. entity is None offline."""
    # always v0: the artifact's name contains the run's id, and a run stores one version
    name = f"{artifact.name}:v0"
    return {"artifact": name, "digest": artifact.digest, "entity": run.entity or None, "project": run.project, "run": run.id}


def find_stored(folder: Path) -> dict[str, Any]:
    """The record of the artifact that holds the folder; only artifact=None and the digest if there is none or the folder changed since."""
    digest = folder_artifact("adapter", folder).digest
    try:
        stored = json.loads((folder.parent / STORED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = None
    return stored if isinstance(stored, dict) and stored.get("digest") == digest else {"artifact": None, "digest": digest}


def link(run: Any, adapters: Mapping[str, Mapping[str, Any]]) -> None:
    """Link the run to each stored adapter. A failure or time-out is logged as a warning and raises nothing."""
    for name, record in adapters.items():
        if record.get("artifact"):
            path = "/".join(str(part) for part in (record.get("entity"), record.get("project"), record["artifact"]) if part)
            if error := _use(run, path):
                logger.warning("W&B: %s is not linked to %s: %s", name, path, error)


def _use(run: Any, path: str) -> str:
    """Link the run to the artifact; returns the error in one line, empty on success."""
    results: queue.SimpleQueue[str] = queue.SimpleQueue()

    def use() -> None:
        try:
            run.use_artifact(path, type="adapter")
            results.put("")
        except Exception as error:
            results.put(one_line(error))

    threading.Thread(target=use, daemon=True).start()  # a thread, because W&B's client retries for minutes
    try:
        return results.get(timeout=LINK_TIMEOUT_S)
    except queue.Empty:
        return f"no answer within {LINK_TIMEOUT_S:g} s"

"""Episodes that would be the same again are played once: of the base, the reference, the baselines."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sekft.episode import trajectory
from sekft.episode.trajectory import Ending, Trajectory

RECORDED = 2  # what an episode's meta says; episodes that say less are played again
FOLDER = Path("outputs/episodes")
log = logging.getLogger("sekft")


def recall(agent: str, about: Mapping[str, Any]) -> list[Trajectory] | None:
    """The agent's episodes, if they were remembered. about: everything they depend on, as JSON."""
    path = _path(agent, about)
    return list(trajectory.read(path)) if path.exists() else None


def remember(agent: str, about: Mapping[str, Any], episodes: Sequence[Trajectory]) -> None:
    """Unless one of them broke. A folder that takes nothing costs the next evaluation time, and this one nothing."""
    if any(episode.ending is Ending.broken for episode in episodes):
        return
    try:
        trajectory.write(episodes, _path(agent, about))
    except OSError as error:
        log.warning("%s: the episodes of %s are not remembered: %s", FOLDER, agent, error)


def _path(agent: str, about: Mapping[str, Any]) -> Path:
    text = json.dumps({"schema": trajectory.SCHEMA_VERSION, "recorded": RECORDED, **about}, sort_keys=True)
    return FOLDER / f"{agent}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsonl"

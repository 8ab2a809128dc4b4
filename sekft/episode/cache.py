"""The cache of recorded episodes: those of the base, the reference and the baselines are played once per set of conditions."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sekft.episode import trajectory
from sekft.episode.outcome import judged_again
from sekft.episode.trajectory import Ending, Trajectory

RECORDED = 2  # version of what a trajectory's meta holds; raised when it holds more, so that older entries are played again
FOLDER = Path("outputs/episodes")
log = logging.getLogger("sekft")


def load(agent: str, conditions: Mapping[str, Any]) -> list[Trajectory] | None:
    """The agent's stored trajectories, judged by the present rules, or None. conditions: everything the episodes depend on, JSON-able."""
    path = _path(agent, conditions)
    return [judged_again(played) for played in trajectory.read(path)] if path.exists() else None


def store(agent: str, conditions: Mapping[str, Any], trajectories: Sequence[Trajectory]) -> None:
    """Store the trajectories unless one of them is broken. A folder that cannot be written gives a warning, not an error."""
    if any(played.ending is Ending.broken for played in trajectories):
        return
    try:
        trajectory.write(trajectories, _path(agent, conditions))
    except OSError as error:
        log.warning("%s: the episodes of %s are not stored: %s", FOLDER, agent, error)


def _path(agent: str, conditions: Mapping[str, Any]) -> Path:
    text = json.dumps({"schema": trajectory.SCHEMA_VERSION, "recorded": RECORDED, **conditions}, sort_keys=True)
    return FOLDER / f"{agent}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsonl"

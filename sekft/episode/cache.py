"""Lives that would be the same again are lived once: of the base, the reference, the stones."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sekft.episode import trajectory
from sekft.episode.trajectory import Ending, Trajectory

RECORDED = 2  # what a life's meta says; lives that say less are lived again
FOLDER = Path("outputs/lives")
log = logging.getLogger("sekft")


def recall(player: str, about: Mapping[str, Any]) -> list[Trajectory] | None:
    """The player's lives, if they were remembered. about: everything they depend on, as JSON."""
    path = _path(player, about)
    return list(trajectory.read(path)) if path.exists() else None


def remember(player: str, about: Mapping[str, Any], lives: Sequence[Trajectory]) -> None:
    """Unless one of them broke. A folder that takes nothing costs the next exam time, and this one nothing."""
    if any(life.ending is Ending.broken for life in lives):
        return
    try:
        trajectory.write(lives, _path(player, about))
    except OSError as error:
        log.warning("%s: the lives of %s are not remembered: %s", FOLDER, player, error)


def _path(player: str, about: Mapping[str, Any]) -> Path:
    text = json.dumps({"schema": trajectory.SCHEMA_VERSION, "recorded": RECORDED, **about}, sort_keys=True)
    return FOLDER / f"{player}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsonl"

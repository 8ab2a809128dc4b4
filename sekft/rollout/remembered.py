"""Lives that would be the same again are lived once: of the base, the reference, the stones."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sekft.rollout import trajectory
from sekft.rollout.trajectory import Ending, Trajectory

FOLDER = Path("outputs/lives")


def recall(player: str, about: Mapping[str, Any]) -> list[Trajectory] | None:
    """The player's lives, if they were remembered. about: everything they depend on, as JSON."""
    path = _path(player, about)
    return list(trajectory.read(path)) if path.exists() else None


def remember(player: str, about: Mapping[str, Any], lives: Sequence[Trajectory]) -> None:
    """Unless one of them broke."""
    if not any(life.ending is Ending.broken for life in lives):
        trajectory.write(lives, _path(player, about))


def _path(player: str, about: Mapping[str, Any]) -> Path:
    text = json.dumps({"schema": trajectory.SCHEMA_VERSION, **about}, sort_keys=True)
    return FOLDER / f"{player}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsonl"

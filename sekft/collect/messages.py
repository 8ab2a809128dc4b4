"""Keepers as `messages` rows, as TRL's SFTTrainer and axolotl's chat_template datasets take them."""

from collections.abc import Sequence
from typing import Any

from sekft.episode.trajectory import Trajectory


def rows(lives: Sequence[Trajectory]) -> list[dict[str, Any]]:
    """One row per keeper, ending with its last assistant turn; no environment turn is to be learned: train on assistant turns only."""
    return [
        {"id": life.id, "bundle_id": life.bundle_id, "messages": [message.model_dump() for message in life.messages]}
        for life in lives
        if life.kept
    ]

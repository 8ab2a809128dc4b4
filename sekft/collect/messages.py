"""Keepers as `messages` rows, as TRL's SFTTrainer and axolotl's chat_template datasets take them."""

from collections.abc import Sequence
from typing import Any

from sekft.episode.trajectory import Trajectory


def rows(episodes: Sequence[Trajectory]) -> list[dict[str, Any]]:
    """One row per keeper, ending with its last assistant turn; no environment turn is to be learned: train on assistant turns only."""
    return [
        {"id": episode.id, "scenario_id": episode.scenario_id, "messages": [message.model_dump() for message in episode.messages]}
        for episode in episodes
        if episode.kept
    ]

"""Exports beside the trajectories in the formats of other tools: `messages` rows, preference pairs, Harbor tasks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sekft.collect import harbor
from sekft.collect.pairs import preference_pairs
from sekft.config.endpoint import Export
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.scenario.document import Scenario
from sekft.tracking.files import write_text

NAMES = {Export.messages: "messages.jsonl", Export.pairs: "pairs.jsonl", Export.harbor: "harbor"}


def write(export: Export, episodes: Sequence[Trajectory], scenarios: Sequence[Scenario], folder: Path) -> str:
    """Write one export and return a note for the summary: how much was written, where, and what was left out."""
    path = folder / NAMES.get(export, "")
    match export:
        case Export.messages:
            rows = message_rows(episodes)
            _write_lines(rows, path)
            return f"{len(rows)} rows: {path}"
        case Export.pairs:
            rows, without_pair = preference_pairs(episodes)
            _write_lines(rows, path)
            left_out = "".join(f"; {reason} {count}" for reason, count in sorted(without_pair.items()))
            return f"{len(rows)} rows: {path}{left_out}"
        case Export.harbor:
            solved = {episode.scenario_id for episode in episodes if episode.kept}
            tasks = [scenario for scenario in scenarios if scenario.id in solved]  # only what was verifiably solved is a fair task
            harbor.write(tasks, path)
            return f"{len(tasks)} tasks: {path}"
        case Export.text:
            raise SettingsError("export: found text, allowed with source=NAME only, e.g. source=gptme")


def message_rows(episodes: Sequence[Trajectory]) -> list[dict[str, Any]]:
    """One row per kept trajectory, up to its last assistant turn, as TRL's SFTTrainer and axolotl's chat_template datasets take it.

    Train on assistant turns only: the environment turns are context.
    """
    return [
        {"id": episode.id, "scenario_id": episode.scenario_id, "messages": [message.model_dump() for message in episode.messages]}
        for episode in episodes
        if episode.kept
    ]


def _write_lines(rows: Sequence[dict[str, Any]], path: Path) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

"""What is written beside the episodes for others to read: messages, pairs, Harbor tasks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sekft.collect import harbor, messages, pairs
from sekft.config.endpoint import Export
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.scenario.document import Scenario

NAMES = {Export.messages: "messages.jsonl", Export.pairs: "pairs.jsonl", Export.harbor: "harbor"}


def write(export: Export, episodes: Sequence[Trajectory], scenarios: Sequence[Scenario], folder: Path) -> str:
    """What came of it, in a few words. harbor: the scenarios that somebody verifiably solved."""
    path = folder / NAMES.get(export, "")
    match export:
        case Export.messages:
            rows = messages.rows(episodes)
            _lines(rows, path)
            return f"{len(rows)} rows: {path}"
        case Export.pairs:
            rows, none = pairs.pairs(episodes)
            _lines(rows, path)
            left_out = "".join(f"; {why} {count}" for why, count in sorted(none.items()))
            return f"{len(rows)} rows: {path}{left_out}"
        case Export.harbor:
            solved = {episode.scenario_id for episode in episodes if episode.kept}
            chosen = [scenario for scenario in scenarios if scenario.id in solved]
            harbor.write(chosen, path)
            return f"{len(chosen)} tasks: {path}"
        case Export.text:
            raise SettingsError("export: found text, allowed with source=NAME only, e.g. source=gptme")


def _lines(rows: Sequence[dict[str, Any]], path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8", newline="\n")

"""Episodes as asciicast v2 files (https://docs.asciinema.org/manual/asciicast/v2/) for a terminal player; the timing is invented.

A trajectory holds no times, so that the same episode gives the same bytes. Keys and output are timed for a human reader.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from sekft.episode.trajectory import EpisodesByAgent, Trajectory
from sekft.eval.score import Score
from sekft.eval.summary import BASE
from sekft.report.transcript import pieces
from sekft.tracking.files import write_text

KEY_S, OUTPUT_S, END_S = 0.04, 0.6, 1.5
WIDTH, HEIGHT = 100, 30
MAX_SCENARIOS = 4


def asciicast(episode: Trajectory) -> str:
    """One header line, then one line per event: [seconds, "o", text]."""
    lines: list[str] = [json.dumps({"version": 2, "width": WIDTH, "height": HEIGHT, "title": episode.id})]
    clock = 0.0

    def write(text: str, after_s: float) -> None:
        nonlocal clock
        clock += after_s
        lines.append(json.dumps([round(clock, 3), "o", text.replace("\n", "\r\n")], ensure_ascii=False))

    for piece in pieces(episode.messages):
        if piece.kind == "shown":
            write(piece.text, OUTPUT_S)
        else:
            for key in piece.text:
                write(key, KEY_S)
    write(f"\n-- {episode.ending.value}, {episode.outcome.value}\n", END_S)
    return "\n".join(lines) + "\n"


def write_casts(episodes: EpisodesByAgent, scored: Score, folder: Path) -> list[Path]:
    """Cast files of base and adapter in the first MAX_SCENARIOS scenarios in which their outcomes differ.

    If they differ in none, the adapter's first episode and the base's in the same scenario.
    """
    base = {episode.scenario_id: episode for episode in reversed(episodes[BASE])}
    differing: Sequence[Trajectory] = [
        episode
        for episode in episodes[scored.subject]
        if episode.scenario_id in base and episode.outcome is not base[episode.scenario_id].outcome
    ]
    scenarios = list(dict.fromkeys(episode.scenario_id for episode in differing or episodes[scored.subject][:1]))[:MAX_SCENARIOS]
    written = []
    for scenario in scenarios:
        for agent in dict.fromkeys((BASE, scored.subject)):
            path = folder / f"{scenario}.{agent.replace('/', '_')}.cast"  # a served model's name may contain a slash
            episode = next(episode for episode in episodes[agent] if episode.scenario_id == scenario)
            write_text(path, asciicast(episode))
            written.append(path)
    return written

"""Episodes as asciicast v2 files (https://docs.asciinema.org/manual/asciicast/v2/), for a terminal agent; the clock is made up.

A trajectory holds no times, so that the same episode gives the same bytes: keys and answers come at a reader's pace.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sekft.episode.trajectory import Trajectory
from sekft.eval.score import BASE, Score
from sekft.report.transcript import pieces

KEY_S, ANSWER_S, END_S = 0.04, 0.6, 1.5
WIDTH, HEIGHT = 100, 30
MOST_SCENARIOS = 4


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
            write(piece.text, ANSWER_S)
        else:
            for key in piece.text:
                write(key, KEY_S)
    write(f"\n-- {episode.ending.value}, {episode.outcome.value}\n", END_S)
    return "\n".join(lines) + "\n"


def write_casts(episodes: Mapping[str, Sequence[Trajectory]], scored: Score, folder: Path) -> list[Path]:
    """The first scenarios in which base and adapter came to different outcomes, both episodes each; else the adapter's first episode."""
    base = {episode.scenario_id: episode for episode in reversed(episodes[BASE])}
    told = [
        episode
        for episode in episodes[scored.looked_at]
        if episode.scenario_id in base and episode.outcome is not base[episode.scenario_id].outcome
    ]
    scenarios = list(dict.fromkeys(episode.scenario_id for episode in told or episodes[scored.looked_at][:1]))[:MOST_SCENARIOS]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for scenario in scenarios:
        for agent in dict.fromkeys((BASE, scored.looked_at)):
            path = folder / f"{scenario}.{agent.replace('/', '_')}.cast"  # a name may have a slash, as it is served
            episode = next(episode for episode in episodes[agent] if episode.scenario_id == scenario)
            path.write_text(asciicast(episode), encoding="utf-8")
            written.append(path)
    return written

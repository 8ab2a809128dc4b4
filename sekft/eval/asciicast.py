"""Lives as asciicast v2 files (https://docs.asciinema.org/manual/asciicast/v2/), for a terminal player; the clock is made up.

A trajectory holds no times, so that the same life gives the same bytes: keys and answers come at a reader's pace.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sekft.episode.trajectory import Trajectory
from sekft.eval.score import BASE, Score
from sekft.report.transcript import pieces

KEY_S, ANSWER_S, END_S = 0.04, 0.6, 1.5
WIDTH, HEIGHT = 100, 30
MOST_WORLDS = 4


def asciicast(life: Trajectory) -> str:
    """One header line, then one line per event: [seconds, "o", text]."""
    lines: list[str] = [json.dumps({"version": 2, "width": WIDTH, "height": HEIGHT, "title": life.id})]
    clock = 0.0

    def write(text: str, after_s: float) -> None:
        nonlocal clock
        clock += after_s
        lines.append(json.dumps([round(clock, 3), "o", text.replace("\n", "\r\n")], ensure_ascii=False))

    for piece in pieces(life.messages):
        if piece.kind == "shown":
            write(piece.text, ANSWER_S)
        else:
            for key in piece.text:
                write(key, KEY_S)
    write(f"\n-- {life.ending.value}, {life.outcome.value}\n", END_S)
    return "\n".join(lines) + "\n"


def write_casts(lives: Mapping[str, Sequence[Trajectory]], scored: Score, folder: Path) -> list[Path]:
    """The first worlds in which base and adapter came to different outcomes, both lives each; else the adapter's first life."""
    base = {life.bundle_id: life for life in reversed(lives[BASE])}
    told = [life for life in lives[scored.looked_at] if life.bundle_id in base and life.outcome is not base[life.bundle_id].outcome]
    worlds = list(dict.fromkeys(life.bundle_id for life in told or lives[scored.looked_at][:1]))[:MOST_WORLDS]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for world in worlds:
        for player in dict.fromkeys((BASE, scored.looked_at)):
            path = folder / f"{world}.{player.replace('/', '_')}.cast"  # a name may have a slash, as it is served
            life = next(life for life in lives[player] if life.bundle_id == world)
            path.write_text(asciicast(life), encoding="utf-8")
            written.append(path)
    return written

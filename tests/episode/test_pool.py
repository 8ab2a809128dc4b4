"""The progress line of many episodes."""

import time

from sekft.episode.pool import Tally


def test_a_narrow_terminal_shows_fewer_counts_and_never_a_part_of_one():
    tally = Tally(running=16, played=384, ended=307, kept=94, since_s=time.monotonic() - 60)
    full = tally.line(12420, 200).split(", ")
    assert full[:2] == ["ended 307", "verified 94"] and full[-1] == "running 16" and len(full) == 5
    for width in range(20, 90):
        line = tally.line(12420, width)
        assert len(line) <= width and line.split(", ") == full[: len(line.split(", "))]

"""Plain progress lines in a log."""

import pytest

from sekft.tracking.progress import ProgressLines


def lines_of(updates: list[tuple[float, int]], shown: bool, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is printed for (seconds since the start, steps done) of 600 steps."""
    times = iter([0.0, *(at for at, _ in updates)])
    lines = ProgressLines("train", shown, clock=lambda: next(times))
    for _, done in updates:
        lines.update(done, 600, "loss 0.193")
    return capsys.readouterr().out.splitlines()


def test_a_log_gets_a_plain_line_every_30_seconds_with_the_time_left(capsys: pytest.CaptureFixture[str]):
    printed = lines_of([(0, 90), *((float(second), 90 + 2 * second) for second in range(1, 101))], True, capsys)
    assert printed[0] == "train 150/600, 0:00:30, 0:03:45 left, loss 0.193"  # resumed after step 90: 60 steps in 30 s
    assert [line.split(",")[1].strip() for line in printed] == ["0:00:30", "0:01:00", "0:01:30"]


def test_a_slow_first_step_is_reported_without_a_guess(capsys: pytest.CaptureFixture[str]):
    assert lines_of([(40, 0)], True, capsys) == ["train 0/600, 0:00:40, loss 0.193"]


def test_short_work_its_end_and_a_terminal_get_no_line(capsys: pytest.CaptureFixture[str]):
    assert lines_of([(1, 1), (29.9, 300)], True, capsys) == [] and lines_of([(1, 1), (31, 600)], True, capsys) == []
    assert lines_of([(40, 1), (400, 2)], False, capsys) == []

"""The command line of the evaluation: its progress line at a terminal and in a log, and the names of the limits it reaches."""

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import termios
from pathlib import Path

import pytest

from tests.conftest import run_command
from tests.process import start

SMALL = ("sandbox=bwrap", "model.weights=random", "eval.episodes=2", "tracker=none", "eval.cache=false", "hydra.run.dir=run")
LINE = re.compile(r"\w+ +\d+/\d+ \d+:\d\d:\d\d ended \d+, verified \d+, [\d,]+ tokens/s, [\d.]+ episodes/s(, running \d+)?")


def at_a_terminal(columns: int, words: list[str], cwd: Path) -> str:
    """The output of a command on a terminal of so many columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    run = start(*words, cwd=cwd, stdin=its, stdout=its, stderr=its, TERM="xterm")
    os.close(its)
    drawn = b""
    with contextlib.suppress(OSError):  # Linux reports a closed terminal as EIO
        while data := os.read(ours, 65536):
            drawn += data
    os.close(ours)
    assert run.wait(60) == 0, drawn
    return drawn.decode()


@pytest.mark.slow
def test_the_progress_line_is_updated_at_a_terminal_of_80_columns_and_is_one_line_elsewhere(tmp_path: Path):
    words = [*SMALL, "eval.max_turns=4", "eval.max_reply_tokens=8", "workers=1"]  # one episode after another: several frames
    drawn = at_a_terminal(80, ["sekft.eval", *words], tmp_path)
    frames = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", one) for one in re.split(r"[\r\n]+", drawn) if "ended " in one]
    assert len(set(frames)) > 2 and all(LINE.fullmatch(one.rstrip()) and len(one) <= 80 for one in frames), frames
    assert "10/10" in frames[-1] and "ended " in frames[-1]
    assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l")  # the cursor is back
    done = run_command("eval", *words, cwd=tmp_path)
    assert [bool(LINE.fullmatch(one.rstrip())) for one in done.stdout.splitlines() if " ended " in one] == [True]
    assert not {"\x1b", "\r"} & set(done.stdout + done.stderr) and done.stderr == ""
    assert "episodes/s" not in (tmp_path / "run" / "eval.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "others", "by"),
    [
        ("eval.max_turns=2", (), {"base", "reference"}),
        ("eval.max_reply_tokens=2", ("eval.max_turns=2",), {"base"}),
        ("eval.max_episode_tokens=40", ("eval.max_turns=4",), {"base"}),
        ("eval.max_eval_s=0.05", (), {"base", "reference"}),
    ],
    ids=lambda value: value.partition("=")[0] if isinstance(value, str) else "",
)
def test_a_limit_that_was_reached_is_named(tmp_path: Path, limit: str, others: tuple[str, ...], by: set[str]):
    done = run_command("eval", *SMALL, "eval.baselines=false", *others, limit, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    name, value = limit.split("=")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert {agent for agent in ("base", "reference") if summary[agent]["limits"].get(name)} == by
    assert re.search(rf"{re.escape(name)} reached [12]\b", done.stdout) or "base" not in by
    page = (tmp_path / "run" / "report.html").read_text()
    assert f'<th scope="row">{name}</th>' in page
    if name == "eval.max_eval_s":
        assert summary["verdict"] == f"unmeasured (the evaluation took longer than {name}={value})"

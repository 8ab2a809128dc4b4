"""An error that nobody expected ends every command in one line and with status 70; its trace is in a file, never on the terminal."""

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from sekft import crash, errors
from sekft.cli.launch import Work, launch
from sekft.resident.commands import LocalCommands

ROWS = '{"messages": [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "exit"}]}\n'
PREVIEW = ("preview", "data.path=mine.jsonl", "rows=1", "hydra.run.dir=run")


class Odd(BaseException):
    """No Exception, as a panic of a library in Rust; it has no text, either."""

    def __str__(self) -> str:
        raise RuntimeError


class Worded(Exception):
    """Of no class that anybody catches, with a text of many lines and a letter that no encoding has."""

    def __init__(self, text: str = "first\nsecond \udce9 " + "long " * 200) -> None:
        super().__init__(text)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.jsonl").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words: tuple[str, ...], raise_in_call: int, error: Callable[[], BaseException]) -> tuple[int, int]:
    """(exit status, calls of functions of the work): run a command here, with an error in that call, counted from 0 once the job began."""
    calls = -1

    def trace(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        name = frame.f_globals.get("__name__", "")
        if calls >= 0 or frame.f_code.co_name == "_run_job":
            calls += name.startswith("sekft.") and name != "sekft.crash" and frame.f_code.co_name not in ("_failure", "_print_error")
        if calls == raise_in_call:
            sys.settrace(None)
            raise error()

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return LocalCommands(()).run_program(words[0], words[1:]), calls
    finally:
        sys.settrace(before)


def require_wall(status: int, said: str, command: str = "preview") -> None:
    lines = said.splitlines()
    assert status == crash.EXIT_STATUS and len(lines) == 1, said
    said_of = r"(Odd|Worded: first second .*\.\.\.) at sekft/[\w/]+\.py:\d+"
    found = re.fullmatch(rf"sekft\.{command}: internal error: {said_of}; full trace in (.*crash\.log); please report", lines[0])
    assert found, lines[0]
    trace = Path(found[2]).read_text()
    assert "Traceback (most recent call last)" in trace and ("Odd" in trace or "second" in trace)


@pytest.mark.parametrize("error", [Odd, Worded])
def test_an_error_in_the_work_is_one_line_and_its_trace_is_in_the_folder_of_the_run(error: type[BaseException], capsys: Any) -> None:
    status, _ = run(PREVIEW, 40, error)
    require_wall(status, capsys.readouterr().err)
    assert Path("run/crash.log").exists()


def test_an_error_in_a_thread_is_one_line_that_names_the_thread(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise Worded

    def with_thread(settings: Any, job: Any) -> None:
        thread = threading.Thread(target=fails, name="helper")
        thread.start()
        thread.join()

    before = threading.excepthook
    monkeypatch.setattr(sys, "argv", ["sekft-status", "runs=."])
    launch("status", lambda: Work(with_thread))
    said = capsys.readouterr().err
    assert re.fullmatch(r"sekft\.status: internal error in thread helper: Worded: first second .* at .*crash\.log; please report\n", said)
    assert threading.excepthook is before


@pytest.mark.parametrize("error", [MemoryError(), type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried 2 GiB")])
def test_too_little_memory_is_no_internal_error(error: Exception, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_room(settings: Any, job: Any) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["sekft-status", "runs=."])
    with pytest.raises(SystemExit) as end:
        launch("status", lambda: Work(without_room))
    assert end.value.code == 1 and capsys.readouterr().err.startswith("sekft.status: out of memory: ")


def test_every_error_of_sekft_comes_whole_from_another_process() -> None:
    for one in (errors.SweepError("failed before", 3), errors.EndpointError("refused", "no"), errors.RenderError("x", errors.Fault.past)):
        same = pickle.loads(pickle.dumps(one))
        assert (type(same), str(same), vars(same)) == (type(one), str(one), vars(one))


START = """
import importlib.abc, os, runpy, signal, sys
class Stop(importlib.abc.MetaPathFinder):  # what happens while the command is imported
    def find_spec(self, name, path, target=None):
        if name == "hydra":
            {happens}
sys.meta_path.insert(0, Stop())
sys.argv, sys.orig_argv = ["-m"], ["python", "-m", "sekft.status", "runs=."]
import sekft
runpy.run_module("sekft.status", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("happens", "status", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", 130, r"sekft\.status: interrupted\n"),
        (
            "raise ImportError('half installed')",
            70,
            r"sekft\.status: internal error: ImportError: half installed at .*crash\.log; please report\n",
        ),
    ],
    ids=["Ctrl-C", "import"],
)
def test_what_happens_before_the_command_begins_is_one_line(folder: Path, happens: str, status: int, said: str) -> None:
    environment = {**os.environ, "TMPDIR": str(folder)}
    line = [sys.executable, "-c", START.format(happens=happens)]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, preexec_fn=_hear_ctrl_c)
    assert done.returncode == status and re.fullmatch(said, done.stderr), done.stderr


def _hear_ctrl_c() -> None:
    """A test run in the background ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_program_that_imports_sekft_keeps_its_own_hook() -> None:
    for argv, words, program in (
        (["-m"], ["python", "-m", "sekft.train", "x=1"], "sekft.train"),
        (["-m"], ["python", "-X", "dev", "-m", "sekft"], "sekft"),
        (["/usr/bin/sekft-train"], ["python", "/usr/bin/sekft-train"], "sekft.train"),
        (["/usr/bin/sekft"], ["python", "/usr/bin/sekft", "train"], "sekft"),
        (["-m"], ["python", "-m", "pytest", "tests"], ""),
        (["mine.py"], ["python", "mine.py", "sekft.train"], ""),
        (["-c"], ["python", "-c", "import sekft"], ""),
        ([""], ["python"], ""),
        ([], [], ""),
    ):
        assert crash._program(argv, words) == program
    assert sys.excepthook.__module__ != "sekft.crash"

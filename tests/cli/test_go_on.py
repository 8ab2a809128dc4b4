"""The line that goes on with an interrupted command."""

import subprocess
import sys
from pathlib import Path

import pytest

from sekft.cli.go_on import line
from sekft.config.job import Job
from sekft.tracking.record import open_run


def interrupted(command: str, folder: str, sweep: Path | None = None) -> Job:
    with pytest.raises(KeyboardInterrupt), open_run(Path(folder), command, {}, [], 0):
        raise KeyboardInterrupt
    return Job(Path(folder), "run", "run", (), (), sweep)


def test_a_training_is_resumed_from_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert line("train", ["lora=r8"], interrupted("train", "outputs/run")) == "python -m sekft.train start=resume parent=outputs/run"
    assert line("train", [], interrupted("train", "a b")) == """python -m sekft.train start=resume 'parent='"'"'a b'"'"''"""


def test_a_training_elsewhere_is_resumed_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    job = interrupted("train", "run")
    assert line("train", ["lora=r8", "where=ray", "live=true"], job).endswith("start=resume parent=run where=ray live=true")


def test_a_training_that_had_no_record_yet_and_a_sweep_start_by_their_own_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert line("train", ["data=[a, b]"], None) == "python -m sekft.train 'data=[a, b]'"
    assert line("train", ["-m", "lora=r8,r16"], interrupted("train", "s/0", Path("s"))) == "python -m sekft.train -m lora=r8,r16"


@pytest.mark.parametrize("command", ["collect", "eval", "pretrain"])
def test_what_continues_in_its_folder_names_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.chdir(tmp_path)
    job = interrupted(command, "run")
    assert line(command, ["seed=1"], job) == f"python -m sekft.{command} seed=1 hydra.run.dir=run"
    assert line(command, ["hydra.run.dir=run"], job) == f"python -m sekft.{command} hydra.run.dir=run"


def test_a_conversation_has_no_such_line():
    assert line("chat", ["mode=talk"], None) == ""


def test_nothing_is_printed_after_the_line_that_goes_on_whatever_is_pressed():
    ending = "atexit.register(lambda: (os.kill(os.getpid(), signal.SIGINT), time.sleep(9)))"
    script = f"""import atexit, os, signal, sys, time
from sekft.cli.launch import _print_interruption
{ending}
_print_interruption("train", "interrupted", ["seed=1"], [])
sys.exit(130)"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 130 and done.stderr.splitlines()[-1] == "go on: python -m sekft.train seed=1"

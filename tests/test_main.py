"""`sekft COMMAND`: the list of commands, the version, and one line with exit status 2 for what is no command."""

import sys

import pytest

import sekft
from sekft.__main__ import COMMANDS, main
from sekft.config import commands


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sekft", *words])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_every_command_is_listed_on_a_line_that_fits_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    assert COMMANDS.keys() == commands.COMMANDS.keys()
    assert call(monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80 and all(any(f"sekft {command} " in line for line in lines) for command in COMMANDS)


def test_the_version_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    assert call(monkeypatch, "--version") == 0 and capsys.readouterr().out == f"sekft {sekft.__version__}\n"


@pytest.mark.parametrize(("word", "meant"), [("foo", "allowed: train"), ("trian", "did you mean train?"), ("sekft.evl", "mean eval?")])
def test_what_is_no_command_is_refused_in_one_line(word: str, meant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    assert call(monkeypatch, word) == 2
    errors = capsys.readouterr().err
    assert meant in errors and errors.count("\n") == 1


def test_a_command_runs_with_the_words_after_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    assert call(monkeypatch, "status", "lr=3") == 1 and capsys.readouterr().err.startswith("sekft.status: unknown key lr")
    assert call(monkeypatch, "train", "--cfg", "job") == 0 and "trainer:" in capsys.readouterr().out

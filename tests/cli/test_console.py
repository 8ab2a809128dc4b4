"""Messages fit the terminal: lines are wrapped between words, paths and commands stay whole."""

import logging

import pytest

from sekft.cli import console


def test_a_line_is_wrapped_between_words_and_a_path_is_never_cut():
    path = "outputs/train/" + 100 * "x" + "/report.html"
    shown = console.fitted(f"page of this run, which has a long name: {path} and more", 40)
    assert path in shown.splitlines() or f"  {path}" in shown.splitlines()
    assert all(len(line) <= 40 or path in line for line in shown.splitlines())
    assert console.fitted(f"page: {path}", None) == f"page: {path}"
    assert console.fitted("  <= 256        94 ███", 40) == "  <= 256        94 ███"


def test_a_command_that_is_too_wide_is_continued_so_that_a_shell_joins_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    words = ["python", "-m", "sekft.chat", "model=tiny", "adapter=outputs/train/2026-01-01_00-00-00.000000", "'data=[a, b]'", "mode=shell"]
    monkeypatch.setattr(console, "terminal_width", lambda: 60)
    console.echo_command("watch it", words)
    label, *lines = capsys.readouterr().out.splitlines()
    assert label == "watch it:" and all(len(line) <= 60 for line in lines) and all(line.endswith(" \\") for line in lines[:-1])
    monkeypatch.setattr(console, "terminal_width", lambda: None)
    console.echo_command("watch it", words)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split() == " ".join(["watch it:", *(part.strip().removesuffix("\\").strip() for part in lines)]).split()


def test_a_detail_is_in_the_log_and_not_at_the_terminal(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture):
    with caplog.at_level(logging.INFO, "sekft"):
        console.detail("all the numbers")
        console.echo("the news")
    assert caplog.messages == ["all the numbers", "the news"] and capsys.readouterr().out == "the news\n"

"""A preview is quick: it reads a few conversations and never waits for the reference to play everything."""

import json
from pathlib import Path

import pytest

from sekft import settings
from sekft.config.job import Job
from sekft.errors import DataError
from sekft.preview import command

ROW = {"messages": [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "exit"}]}


def preview(*words: str) -> dict:
    return command.run(settings("preview", *words), Job(Path("look"), "look", "look", words, ()))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def test_a_preview_of_many_conversations_reads_the_first(capsys: pytest.CaptureFixture[str]):
    Path("mine.jsonl").write_text(f"{json.dumps(ROW)}\n" * 40 + '{"massages": []}\n')
    assert preview("data.path=mine.jsonl", "samples=30", "rows=1")["rows"] == 30
    shown = capsys.readouterr().out
    assert "data: mine.jsonl: conversations of {role, content} turns, JSON Lines (data.format=messages)" in shown
    assert "train on it: python -m sekft.train data.path=mine.jsonl\n" in shown
    assert "the first 30 conversations of own are counted; samples=0 counts all" in shown
    for all_of_them in (["samples=0", "data.sources.own.max_bad=0"], ["check=true", "data.sources.own.max_bad=0"]):
        with pytest.raises(DataError, match="mine.jsonl:41: messages: Field required"):
            preview("data.path=mine.jsonl", *all_of_them)


def test_the_reference_plays_only_what_is_shown(capsys: pytest.CaptureFixture[str]):
    assert preview("sandbox=bwrap", "rows=1")["samples"] == 1
    assert "the reference plays 1 of the 240 training scenarios, to be shown here; samples=0 plays all" in capsys.readouterr().out

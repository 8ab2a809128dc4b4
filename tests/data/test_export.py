"""sekft.collect source=...: conversations, a card, and the text of a chosen base, twice the same."""

import csv
import json
import sys
from pathlib import Path

import pytest

from sekft.config import SourceConfig, SourceKind
from sekft.data import export
from sekft.data.reader import ReadStats
from sekft.data.sources import stream
from sekft.errors import DataError
from sekft.rendering.tokenizer import ChatTokenizer
from tests.conftest import run_command
from tests.data.source.reading import turns
from tests.data.source.test_gptme import line, log

HARD = 'quotes " and, commas\nlines \\n "" \r\n tabs\t </s> [/INST] ünï'


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for number in range(5):
        log(tmp_path / "logs", f"talk-{number}", line("system", "s"), line("user", f"{number} {HARD}"), line("assistant", HARD))
    return log(tmp_path / "logs", "a-test-b")


def gptme(logs: Path) -> SourceConfig:
    return SourceConfig(kind=SourceKind.gptme, path=str(logs))


def test_csv_and_jsonl_hold_the_same_text_as_the_base_is_fed(logs: Path, tmp_path: Path, small_mistral: Path):
    card = export.write("gptme", gptme(logs), tmp_path, ChatTokenizer(small_mistral))
    lines = [json.loads(one)["text"] for one in (tmp_path / "train.jsonl").read_text().splitlines()]
    with (tmp_path / "train.csv").open(newline="", encoding="utf-8") as file:
        table = [row["text"] for row in csv.DictReader(file)]
    assert lines == table and len(lines) == card["texts"]["written"] == 5
    for text in lines:  # one BOS, no open header, a stop token at the end, the user's own </s> is text
        assert text.startswith("<s>") and text.count("<s>") == 1 and text.endswith("</s>") and text.count("</s>") == 1


def test_exported_conversations_are_read_back_as_the_same(logs: Path, tmp_path: Path):
    card = export.write("gptme", gptme(logs), tmp_path, None)
    first = list(stream("gptme", gptme(logs), ReadStats()))
    again = list(stream("own", SourceConfig(kind=SourceKind.messages, path=str(tmp_path / "conversations.jsonl")), ReadStats()))
    assert [turns(one) for one in first] == [turns(one) for one in again] and [one.time for one in first] == [one.time for one in again]
    assert card["left_out"] == {"a test by its name": 1} and (card["conversations"], card["assistant_turns"]) == (5, 5)
    assert not (tmp_path / "train.csv").exists() and card["from_to"] == ["2025-01-02T03:04:05+00:00"] * 2
    assert export.write("gptme", gptme(logs), tmp_path, None) == card


def test_a_source_of_which_no_conversation_passes_is_one_error_and_leaves_no_file(tmp_path: Path):
    log(tmp_path / "logs", "a-test-b")
    with pytest.raises(DataError, match=r"no samples \(0 samples read, 1 records skipped: a test by its name 1\)"):
        export.write("gptme", gptme(tmp_path / "logs"), tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_the_command_writes_card_and_text_and_loads_no_model_to_get_a_tokenizer(logs: Path, tmp_path: Path):
    words = ("source=gptme", f"path={logs}", "export=[text]", "model=tiny", "hydra.run.dir=run")
    done = run_command("collect", *words, cwd=tmp_path)
    assert done.returncode == 0 and "left out: a test by its name 1" in done.stdout, done.stderr
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"conversations.jsonl", "train.csv", "train.jsonl", "card.json", "card.md", "summary.json"} <= names
    code = f"import sys; sys.argv = ['collect', *{words!r}]; from sekft.collect.__main__ import main; main(); print('torch' in sys.modules)"
    import os
    import subprocess

    silent = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ))
    assert silent.stdout.splitlines()[-1] == "False", silent.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("source=gptmee",), "source: found gptmee, allowed: shell, own, oasst, chatgpt_export, gptme, tinystories"),
        (("source=oasst",), "no value for data.sources.oasst.path"),
        (("source=gptme", "path=nowhere"), "nowhere: no such file or folder"),
        (("export=[text]",), "export: found text, allowed with source=NAME only"),
        (("source=gptme", "path=nowhere", "export=[pairs]"), "export: found pairs, allowed with source=gptme: text"),
    ],
)
def test_impossible_arguments_are_one_line(tmp_path: Path, words: tuple[str, ...], named: str):
    done = run_command("collect", *words, cwd=tmp_path)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and named in done.stderr

"""Any dataset with a column of messages, JSONL or Parquet, by the same rules."""

from pathlib import Path
from typing import Any

import pytest

from sekft.config.data import System
from sekft.errors import DataError
from tests.data.source.reading import put, read, turns

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi </s> there"},
    {"role": "assistant", "content": "Hello."},
]
LATE = {"role": "user", "content": "bye"}


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    from datasets import Dataset

    Dataset.from_list(rows).to_parquet(str(path))
    return path


def test_jsonl_and_parquet_give_the_same_samples(tmp_path: Path):
    rows = [{"id": f"r{number}", "messages": [*TURNS, LATE], "score": number / 2} for number in range(4)]
    ours, stats = read("messages", put(tmp_path / "a.jsonl", rows))
    theirs, _ = read("messages", parquet(tmp_path / "b.parquet", rows))
    assert ours == theirs and len(ours) == 4 and turns(ours[0]) == [("user", "Be brief.\nHi </s> there"), ("assistant", "Hello.")]
    assert stats.changed == {"turns after the last answer dropped": 4}
    assert turns(read("messages", tmp_path / "a.jsonl", system=System.drop)[0][0])[0] == ("user", "Hi </s> there")


def test_the_files_of_the_split_are_read_and_a_row_without_id_gets_file_and_line(tmp_path: Path):
    put(tmp_path / "train-0.jsonl", [{"chat": TURNS}])
    put(tmp_path / "test-0.jsonl", [{"chat": TURNS}])
    [sample], _ = read("messages", tmp_path, column="chat", split="test")
    assert sample.id == "messages/test-0.jsonl:1"


def test_text_parts_are_joined_and_rows_without_a_conversation_are_counted(tmp_path: Path):
    parts = [{"role": "human", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, {"role": "gpt", "content": "c"}]
    lost = [[LATE], [], [TURNS[2], LATE, TURNS[2]]]
    [sample], stats = read("messages", put(tmp_path / "a.jsonl", [{"messages": messages} for messages in [parts, *lost]]))
    assert turns(sample) == [("user", "a\nb"), ("assistant", "c")]
    assert stats.skipped == {"no assistant turn": 2, "the assistant comes first": 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"massages": []}, "messages: Field required"),
        ({"messages": [{"role": "pope", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 3}]}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "x", "weight": 0.5}]}, "messages.0.weight: neither on nor off; allowed: 0, 1"),
    ],
)
def test_an_invalid_row_is_named_in_both_formats(tmp_path: Path, row: dict[str, Any], message: str):
    for path in (put(tmp_path / "a.jsonl", [row]), parquet(tmp_path / "b.parquet", [row])):
        with pytest.raises(DataError, match=rf"{path}:1: {message}"):
            read("messages", path)


def test_an_invalid_parquet_file_is_an_error_of_one_line(tmp_path: Path):
    (tmp_path / "b.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="b.parquet: not Parquet"):
        read("messages", tmp_path)

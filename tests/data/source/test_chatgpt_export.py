"""The ChatGPT export: the branch of every conversation that was last shown."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sekft.errors import DataError
from tests.data.source.reading import read, turns


def node(parent: str | None, role: str, text: Any, **more: Any) -> dict[str, Any]:
    content = {"content_type": "text", "parts": [text]}
    return {"parent": parent, "children": [], "message": {"author": {"role": role}, "content": content, "create_time": 1.0} | more}


MAPPING = {
    "root": {"parent": None, "message": None},
    "s": node("root", "system", ""),
    "u": node("s", "user", "What is two and two?"),
    "five": node("u", "assistant", "Five."),
    "four": node("u", "assistant", "Four."),
    "u2": node("four", "user", "Thanks </s> bye"),
    "tool": node("u2", "tool", "a search"),
    "code": node("tool", "assistant", "x", content={"content_type": "code", "parts": []}),
    "last": node("code", "assistant", "You are welcome."),
}
GOOD = {"conversation_id": "c", "title": "sums", "create_time": 12.5, "current_node": "last", "mapping": MAPPING}


def put(folder: Path, *records: Any) -> Path:
    (folder / "conversations.json").write_text(json.dumps(list(records)))
    return folder


def test_the_shown_branch_is_read_up_to_its_first_message_to_or_from_a_tool(tmp_path: Path):
    [sample], stats = read("chatgpt_export", put(tmp_path, GOOD))
    assert turns(sample) == [("user", "What is two and two?"), ("assistant", "Four.")]
    assert (sample.id, sample.time) == ("chatgpt_export/c", 12.5)
    assert stats.changed == {"ended before a call of a tool": 1, "turns after the last answer dropped": 1}


def test_without_a_current_node_the_last_leaf_is_taken_and_ids_count_once(tmp_path: Path):
    samples, stats = read("chatgpt_export", put(tmp_path, GOOD | {"current_node": None}, GOOD))
    assert len(samples) == 1 and stats.skipped == {"a conversation with the id of an earlier one": 1}


def test_the_numbered_files_of_an_export_are_read_and_its_other_files_are_not(tmp_path: Path):
    for number in range(2):
        (tmp_path / f"conversations-00{number}.json").write_text("\ufeff" + json.dumps([GOOD | {"conversation_id": f"c{number}"}]))
    (tmp_path / "shared_conversations.json").write_text('[{"id": "s", "conversation_id": "c0"}]')
    (tmp_path / "user.json").write_text('{"id": "u"}')
    samples, _ = read("chatgpt_export", tmp_path)
    assert [sample.id for sample in samples] == ["chatgpt_export/c0", "chatgpt_export/c1"]
    with pytest.raises(DataError, match="no file with conversations among its 2 of"):
        for file in tmp_path.glob("conversations*"):
            file.unlink()
        read("chatgpt_export", tmp_path)


def test_thoughts_are_left_out_sounds_are_their_transcription_and_a_picture_ends_the_conversation(tmp_path: Path):
    spoken = [{"content_type": "audio_transcription", "text": "Hello."}, {"content_type": "audio_asset_pointer"}]
    mapping = {
        "u": node(None, "user", "", content={"content_type": "multimodal_text", "parts": spoken}),
        "t": node("u", "assistant", "", content={"content_type": "thoughts", "thoughts": []}),
        "a": node("t", "assistant", "Hello, you.", weight=0.0),
        "u2": node("a", "user", "And?"),
        "a2": node("u2", "assistant", "Well."),
        "p": node("a2", "user", "", content={"content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer"}, "?"]}),
        "a3": node("p", "assistant", "A cat."),
    }
    [sample], stats = read("chatgpt_export", put(tmp_path, GOOD | {"current_node": "a3", "mapping": mapping}))
    assert [text for _, text in turns(sample)] == ["Hello.", "Hello, you.", "And?", "Well."] and sample.unlearned == {1}
    assert "ended before a part of the type 'image_asset_pointer'" in stats.changed


HOSTILE = {
    "a cycle": (GOOD | {"mapping": MAPPING | {"u": node("last", "user", "x")}}, "its parents form a cycle, at last"),
    "a missing parent": (GOOD | {"mapping": {"last": node("gone", "user", "x")}}, "message gone is missing, but named as a parent"),
    "a wrong type": (GOOD | {"mapping": [1]}, "mapping: Input should be a valid dictionary"),
    "a NUL": (GOOD | {"mapping": {"last": node(None, "user", "a\0b")}}, "a NUL at 1"),
    "a huge text": (GOOD | {"mapping": {"last": node(None, "user", "x" * 3000)}}, "3000 characters; allowed: max_line_bytes=2000"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_conversation_is_one_line_with_its_number(tmp_path: Path, name: str):
    record, message = HOSTILE[name]
    put(tmp_path, GOOD, record)
    with pytest.raises(DataError, match=rf"conversations.json: conversation 2: .*{re.escape(message)}") as refused:
        read("chatgpt_export", tmp_path, max_line_bytes=2000)
    assert "\n" not in str(refused.value)
    assert len(read("chatgpt_export", tmp_path, max_bad=1, max_line_bytes=2000)[0]) == 1


@pytest.mark.parametrize("text", ['[{"mapping": {}}, {"map', "", "{}", "[", '["\xff"'])
def test_a_file_that_is_not_one_whole_list_is_an_error_of_one_line(tmp_path: Path, text: str):
    (tmp_path / "conversations.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="conversations.json: ") as refused:
        read("chatgpt_export", tmp_path, max_bad=9)
    assert "\n" not in str(refused.value)

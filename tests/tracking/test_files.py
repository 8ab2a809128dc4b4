"""What reaches the disk is whole."""

import json
import math
from pathlib import Path

import pytest

from sekft.config import Tracker
from sekft.errors import SettingsError
from sekft.tracking import files
from sekft.tracking.files import append_line, plain, write_json


def test_a_document_ends_with_a_newline_and_keeps_its_order(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"b": 1, "a": {"é": [1, 2]}})
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "é" in text
    assert list(json.loads(text)) == ["b", "a"]


def test_a_value_that_cannot_be_written_leaves_the_old_document_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"good": True})
    with pytest.raises(TypeError):
        write_json(path, {"bad": object()})
    assert json.loads(path.read_text()) == {"good": True}
    assert [entry.name for entry in tmp_path.iterdir()] == ["value.json"]


def test_others_may_read_what_we_write(tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    beside.touch()
    write_json(tmp_path / "value.json", {})
    assert (tmp_path / "value.json").stat().st_mode == beside.stat().st_mode


def test_a_diverged_loss_stays_readable_as_strict_json_and_as_a_number() -> None:
    values = plain({"loss": [math.nan, math.inf, -math.inf, 1.5]})["loss"]
    assert json.loads(json.dumps(values, allow_nan=False)) == ["NaN", "Infinity", "-Infinity", 1.5]
    assert math.isnan(float(values[0]))
    assert [float(value) for value in values[1:]] == [math.inf, -math.inf, 1.5]


def test_enums_and_paths_become_text() -> None:
    assert plain({"kind": Tracker.none, "at": Path("a/b"), "pair": (1, None)}) == {"kind": "none", "at": "a/b", "pair": [1, None]}


def test_a_line_is_on_the_disk_before_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    with path.open("a", encoding="utf-8") as file:
        append_line(file, {"text": "two\nlines"})
        append_line(file, {"text": "more"})
        assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["two\nlines", "more"]


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user who is in no list
    assert files.home_folder() is None and files.expanded("~/mine.jsonl") == Path("~/mine.jsonl")
    with pytest.raises(SettingsError, match="user 12345 has no home; set XDG_CACHE_HOME or HOME"):
        files.cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert files.cache_folder() == Path("/cache/sekft")

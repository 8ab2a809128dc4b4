"""JSON Lines are read one at a time; an invalid line is reported with its file and number, and counted."""

import gzip
import json
import re
from pathlib import Path

import pytest

from sekft.config import SourceConfig, SourceKind
from sekft.data.files import find_files
from sekft.data.lines import JSONL, read_lines
from sekft.data.reader import ReadStats
from sekft.data.sources import stream
from sekft.errors import DataError, SettingsError

EPISODE = {
    "id": "w#0@x", "scenario_id": "w", "archetype": "copy", "agent": "x", "ending": "exit", "checked": True, "clean": True,
    "outcome": "verified", "kept": True, "messages": [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "exit"}],
    "commands": [{"turn": 1, "text": "exit", "status": None}],
}  # fmt: skip
GOOD = json.dumps(EPISODE).encode()
BAD = {
    "truncated": (GOOD[:-30], "Invalid JSON: EOF while parsing"),
    "no object": (b"[1, 2]", "document: Input should be an object"),
    "wrong type": (GOOD.replace(b'"kept": true', b'"kept": {}'), "kept: Input should be a valid boolean"),
    "no messages": (GOOD.replace(b'"messages"', b'"massages"'), "messages: Field required"),
    "not UTF-8": (GOOD.replace(b"copy", b"co\xffy"), "not UTF-8: byte 0xff at "),
    "NUL": (GOOD.replace(b"copy", b"co\0py"), "a NUL byte at "),
    "long": (b'{"id": "' + b"x" * 3000 + b'"}', "a line of 3011 bytes; allowed: max_line_bytes=2000"),
}


def shell(path: Path, **more: object) -> SourceConfig:
    return SourceConfig(kind=SourceKind.trajectories, path=str(path), max_line_bytes=2000, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_with_its_file_and_number_and_is_one_line(tmp_path: Path, name: str):
    text, problem = BAD[name]
    (tmp_path / "a.jsonl").write_bytes(GOOD + b"\n\n" + text + b"\n" + GOOD + b"\n")
    with pytest.raises(DataError, match=rf"^{tmp_path}/a.jsonl:3: {re.escape(problem)}") as refused:
        list(stream("shell", shell(tmp_path / "a.jsonl"), ReadStats()))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.parametrize("name", BAD)
def test_an_invalid_line_within_the_bound_is_skipped_and_reported(tmp_path: Path, name: str):
    (tmp_path / "a.jsonl").write_bytes(GOOD + b"\n" + BAD[name][0] + b"\n" + GOOD)
    stats = ReadStats(max_bad=1)
    assert len(list(stream("shell", shell(tmp_path), stats))) == 2
    assert [*stats.lines()] == [f"1 invalid records skipped (allowed: max_bad=1); the first: {stats.invalid[0]}"]


def test_without_a_bound_a_few_invalid_lines_are_a_loss_and_many_are_an_error(tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(b"x\n" * 3 + GOOD)
    stats = ReadStats(max_bad=None)
    assert len(list(stream("shell", shell(tmp_path), stats))) == 1
    assert [*stats.lines()] == [f"3 invalid records skipped (allowed: 20% of all); the first: {stats.invalid[0]}"]
    (tmp_path / "a.jsonl").write_bytes(b"x\n" * 4 + GOOD)
    with pytest.raises(DataError, match=r"a.jsonl:1: Invalid JSON.*; 4 of 5 records cannot be read, allowed: 20% of them, or .*max_bad=4"):
        list(stream("shell", shell(tmp_path), ReadStats(max_bad=None)))
    (tmp_path / "a.jsonl").write_bytes(b"x\n" * 1000)
    with pytest.raises(DataError, match=r"a.jsonl:1: Invalid JSON.*; 100 of 100 records cannot be read$"):
        list(stream("shell", shell(tmp_path), ReadStats(max_bad=None)))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json"])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, name: str):
    opened = gzip.open if name.endswith("gz") else open
    with opened(tmp_path / name, "wb") as file:
        file.write(b"\xef\xbb\xbf" + (b"[" + GOOD + b"]" if name == "a.json" else GOOD))
    assert len([*read_lines([tmp_path / name], 10_000, ReadStats())]) == 1
    assert next(iter(read_lines([tmp_path / name], 10_000, ReadStats()))).text.startswith(b"{")


def test_the_error_for_one_invalid_line_too_many_gives_the_bound(tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(b"x\n" * 3 + GOOD)
    with pytest.raises(DataError, match=r"a.jsonl:3: .*invalid records: 3; allowed: max_bad=2"):
        list(stream("shell", shell(tmp_path), ReadStats(max_bad=2)))


def test_a_folder_is_read_in_the_order_of_names_zipped_or_not(tmp_path: Path):
    with gzip.open(tmp_path / "b.jsonl.gz", "wb") as file:
        file.write(GOOD.replace(b"w#0", b"w#2"))
    (tmp_path / "a.jsonl").write_bytes(GOOD + b"\n" + GOOD.replace(b"w#0", b"w#1"))
    (tmp_path / "notes.txt").write_text("not read")
    assert [sample.id[:3] for sample in stream("shell", shell(tmp_path), ReadStats())] == ["w#0", "w#1", "w#2"]


def test_damaged_gzip_is_an_error_of_one_line(tmp_path: Path):
    with gzip.open(tmp_path / "a.jsonl.gz", "wb") as file:
        file.write(GOOD)
    whole = (tmp_path / "a.jsonl.gz").read_bytes()
    for broken in (whole[:-20], b"no gzip at all"):
        (tmp_path / "a.jsonl.gz").write_bytes(broken)
        with pytest.raises(DataError, match=r"a.jsonl.gz:1: damaged gzip"):
            list(stream("shell", shell(tmp_path), ReadStats()))


def test_a_line_of_fifty_megabytes_is_never_held_in_memory(tmp_path: Path):
    import tracemalloc

    (tmp_path / "a.jsonl").write_bytes(b'{"id": "' + b"x" * 50_000_000 + b'"}\n' + GOOD)
    stats = ReadStats(max_bad=1)
    tracemalloc.start()
    assert len(list(stream("shell", shell(tmp_path), stats))) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000 and stats.invalid[0].endswith("a.jsonl:1: a line of 50000011 bytes; allowed: max_line_bytes=2000")


def test_missing_and_empty_files_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        find_files("nowhere", JSONL)
    with pytest.raises(DataError, match=r"no \*.jsonl or \*.jsonl.gz in this folder"):
        find_files(str(tmp_path), JSONL)
    (tmp_path / "a.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match="a.jsonl: empty"):
        list(read_lines([tmp_path / "a.jsonl"], 100, ReadStats()))
    with pytest.raises(DataError, match="someone/something: no such file or folder, nor a dataset in the local hub cache"):
        find_files("someone/something", JSONL)


def test_the_error_for_a_source_without_samples_counts_what_was_skipped(tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(GOOD.replace(b'"kept": true', b'"kept": false'))
    with pytest.raises(DataError, match=r"no samples \(0 samples read, 1 records skipped: verified 1\)"):
        list(stream("shell", shell(tmp_path), ReadStats()))


def test_share_and_max_samples_take_a_subset_that_more_data_does_not_change(tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(GOOD.replace(b"w#0", b"w#%d" % number) for number in range(40)))
    half = [sample.id for sample in stream("shell", shell(tmp_path, share=0.5), ReadStats())]
    assert 10 < len(half) < 30
    assert [sample.id for sample in stream("shell", shell(tmp_path, share=0.5, max_samples=3), ReadStats())] == half[:3]
    with pytest.raises(SettingsError, match="share: found 2.0, allowed"):
        list(stream("shell", shell(tmp_path, share=2.0), ReadStats()))
    for key in ("max_samples", "follow_ups"):
        with pytest.raises(SettingsError, match=f"^data.sources.shell.{key}: found -1, allowed: 0 or more"):
            list(stream("shell", shell(tmp_path, **{key: -1}), ReadStats()))

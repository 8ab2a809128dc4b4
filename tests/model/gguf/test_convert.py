"""A conversion is made once, whole, and with the same bytes every time."""

import json
import multiprocessing
from pathlib import Path

import pytest

from sekft.errors import ModelError
from sekft.model.gguf.convert import NOTE, converted, read_note
from sekft.tracking.files import sha256
from tests.model.gguf.test_weights import small, write


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file) for file in folder.iterdir()}


def convert(file: Path, cache: Path, seen: "multiprocessing.Queue[str]") -> None:
    seen.put(str(converted(file, weights=True, cache=cache)))


def test_the_same_file_gives_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    file = write(tmp_path, "llama", small("llama"))
    first = converted(file, weights=True, cache=tmp_path / "one")
    (tmp_path / "other.gguf").write_bytes(file.read_bytes())
    again = converted(tmp_path / "other.gguf", weights=True, cache=tmp_path / "two")
    found = hashes(first)
    note = json.loads((first / NOTE).read_text())
    assert {name: value for name, value in hashes(again).items() if name != NOTE} == note["files"]
    assert found.keys() == note["files"].keys() | {NOTE}
    assert read_note(first) == {key: note[key] for key in ("source", "converter", "sha256")} and read_note(tmp_path) is None
    assert note["source"] == {"file": "llama.gguf", "bytes": file.stat().st_size, "sha256": sha256(file)}


def test_a_file_is_converted_once_and_again_when_it_changes(tmp_path: Path) -> None:
    file = write(tmp_path, "llama", small("llama"))
    small_folder = converted(file, weights=False, cache=tmp_path)
    assert not list(small_folder.glob("*.safetensors"))
    whole = converted(file, weights=True, cache=tmp_path)
    before = (whole / "model.safetensors").stat().st_mtime_ns
    assert converted(file, weights=True, cache=tmp_path) == converted(file, weights=False, cache=tmp_path) == whole
    assert (whole / "model.safetensors").stat().st_mtime_ns == before
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    assert converted(file, weights=True, cache=tmp_path) != whole


def test_a_conversion_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    file = write(tmp_path, "llama", small("llama"))
    whole = converted(file, weights=True, cache=tmp_path)
    expected = hashes(whole)
    (whole / NOTE).unlink()
    (whole / "model.safetensors").write_bytes(b"half")
    assert hashes(converted(file, weights=True, cache=tmp_path)) == expected


@pytest.mark.exhaustive
def test_processes_that_start_together_share_one_conversion(tmp_path: Path) -> None:
    file = write(tmp_path, "llama", small("llama"))
    context = multiprocessing.get_context("spawn")
    seen: multiprocessing.Queue[str] = context.Queue()
    started = [context.Process(target=convert, args=(file, tmp_path, seen)) for _ in range(3)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert len({seen.get(timeout=10) for _ in started}) == 1
    assert [path.name for path in (tmp_path / "bases").iterdir() if not path.name.startswith(".")] == [
        f"llama-{sha256(file)[:12]}-1",
    ]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = write(tmp_path, "llama", small("llama"))
    (tmp_path / "bases").write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="cannot be written: .*; set XDG_CACHE_HOME to a folder with room") as refused:
        converted(file, weights=True, cache=tmp_path)
    assert "\n" not in str(refused.value)

"""The evidence of a run: whatever is changed afterwards, is named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sekft.tracking.audit import AUDIT, faults
from sekft.tracking.record import open_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    with open_run(folder, "train", {"seed": 1}, ["seed=1"], 1) as record:
        record.log({"train/loss": 0.5}, 1)
        record.summary({"verdict": "hold"})
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter_model.safetensors").write_bytes(bytes(range(64)))
        (folder / "episodes.jsonl").write_text('{"id": 1}\n')
    return folder


def test_an_untouched_run_holds(run: Path):
    assert list(faults(run)) == []
    assert [json.loads(line)["event"] for line in (run / AUDIT).read_text().splitlines()] == ["opened", "closed"]


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "summary.json", "episodes.jsonl", "adapter/adapter_model.safetensors"])
def test_any_byte_of_any_file_of_evidence_is_named(run: Path, name: str):
    whole = (run / name).read_bytes()
    for at in range(len(whole)):
        (run / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert list(faults(run)) == [f"{run / name}: changed since the run was closed"]
    (run / name).unlink()
    assert list(faults(run)) == [f"{run / name}: missing"]


def test_any_byte_of_the_audit_itself_is_seen(run: Path):
    whole = (run / AUDIT).read_bytes()
    for at in range(len(whole) - 1):
        (run / AUDIT).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert list(faults(run)), at


def swap(lines: list[str]) -> list[str]:
    return lines[::-1]


def drop_first(lines: list[str]) -> list[str]:
    return lines[1:]


def twice(lines: list[str]) -> list[str]:
    return [lines[0], *lines]


@pytest.mark.parametrize("change", [swap, drop_first, twice])
def test_a_line_moved_missing_or_added_is_named(run: Path, change: Callable[[list[str]], list[str]]):
    file = run / AUDIT
    file.write_text("".join(change(file.read_text().splitlines(keepends=True))))
    (fault,) = faults(run)
    assert fault.startswith(f"{file}:") and "does not follow the line before it" in fault


def test_a_run_without_its_end_and_a_file_that_came_later_are_named(run: Path):
    (run / "report.html").write_text("made up")
    assert list(faults(run)) == [f"{run / 'report.html'}: was not there when the run was closed"]
    (run / AUDIT).write_text((run / AUDIT).read_text().splitlines(keepends=True)[0])
    (fault,) = faults(run)
    assert "never closed" in fault
    (run / AUDIT).unlink()
    assert list(faults(run)) == [f"{run / AUDIT}: missing"]


def test_a_second_run_in_the_folder_goes_on_with_the_chain(run: Path):
    with pytest.raises(ValueError, match="no"), open_run(run, "train", {}, [], 0):
        raise ValueError("no")
    assert list(faults(run)) == []
    assert [json.loads(line)["event"] for line in (run / AUDIT).read_text().splitlines()] == ["opened", "closed"] * 2
    (run / "run.1.json").write_text("{}")
    assert list(faults(run)) == [f"{run / 'run.1.json'}: changed since the run was closed"]

"""The event log of a run: a file that changes after the run is closed is named."""

import json
from pathlib import Path

import pytest

from sekft.tracking.events import EVENTS, add_event, closing_digest, events, faults
from sekft.tracking.record import open_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    with open_run(folder, "train", {"seed": 1}, ["seed=1"], 1) as record:
        record.log({"train/loss": 0.5}, 1)
        record.write_summary({"verdict": "hold"})
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter_model.safetensors").write_bytes(bytes(range(64)))
        (folder / "episodes.jsonl").write_text('{"id": 1}\n')
    return folder


def test_an_untouched_run_has_no_fault(run: Path):
    assert list(faults(run)) == []
    assert [json.loads(line)["event"] for line in (run / EVENTS).read_text().splitlines()] == ["opened", "closed"]


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "summary.json", "episodes.jsonl", "adapter/adapter_model.safetensors"])
def test_any_byte_of_any_file_of_evidence_is_named(run: Path, name: str):
    whole = (run / name).read_bytes()
    for at in range(len(whole)):
        (run / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert list(faults(run)) == [f"{run / name}: changed since the run was closed"]
    (run / name).unlink()
    assert list(faults(run)) == [f"{run / name}: missing"]


def test_a_line_of_the_log_that_cannot_be_read_is_named(run: Path):
    whole = (run / EVENTS).read_text()
    (run / EVENTS).write_text("{" + whole)
    assert list(faults(run)) == [f"{run / EVENTS}:1: not an event"]
    (run / EVENTS).write_text(whole[: len(whole) - 9])
    assert list(faults(run)) == [f"{run / EVENTS}:2: not an event"]


def test_an_event_after_the_closing_one_changes_neither_the_faults_nor_the_digest(run: Path):
    before = closing_digest(run)
    add_event(run, "approved", by="ada")
    assert before is not None and closing_digest(run) == before and list(faults(run)) == []
    assert [(event.name, event.about.get("by")) for event in events(run)][-1] == ("approved", "ada")


def test_a_log_of_the_first_edition_whose_lines_are_chained_by_hashes_is_read_and_verified(run: Path):
    files = events(run)[-1].about["files"]
    lines = [{"number": 1, "event": "opened", "about": {"verb": "train"}, "before": "0" * 64, "hash": "a" * 64}]
    lines += [{"number": 2, "event": "closed", "about": {"status": "done", "files": files}, "before": "a" * 64, "hash": "b" * 64}]
    (run / EVENTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert list(faults(run)) == [] and closing_digest(run) == "b" * 64
    (run / "episodes.jsonl").write_text("{}")
    assert list(faults(run)) == [f"{run / 'episodes.jsonl'}: changed since the run was closed"]


def test_a_run_without_its_end_and_a_file_that_came_later_are_named(run: Path):
    (run / "report.html").write_text("made up")
    assert list(faults(run)) == [f"{run / 'report.html'}: was not there when the run was closed"]
    (run / EVENTS).write_text((run / EVENTS).read_text().splitlines(keepends=True)[0])
    (fault,) = faults(run)
    assert "never closed" in fault
    (run / EVENTS).unlink()
    assert list(faults(run)) == [f"{run / EVENTS}: missing"]


def test_a_second_run_in_the_folder_appends_to_the_log(run: Path):
    with pytest.raises(ValueError, match="no"), open_run(run, "train", {}, [], 0):
        raise ValueError("no")
    assert list(faults(run)) == []
    assert [json.loads(line)["event"] for line in (run / EVENTS).read_text().splitlines()] == ["opened", "closed"] * 2
    (run / "run.1.json").write_text("{}")
    assert list(faults(run)) == [f"{run / 'run.1.json'}: changed since the run was closed"]

"""What a person calls a run: from the settings, else from W&B's variables; on disk, too."""

from dataclasses import replace
from pathlib import Path

import pytest

from sekft.config import TrackerConfig
from sekft.tracking import names, records
from sekft.tracking.files import write_json
from sekft.tracking.record import RUN, RunRecord

FULL = TrackerConfig(name="mine", tags=["a"], notes="why", group="g", project="p", entity="e")


def test_settings_come_before_the_variables_of_wandb(monkeypatch: pytest.MonkeyPatch):
    for name in ("NAME", "TAGS", "NOTES", "RUN_GROUP", "PROJECT", "ENTITY"):
        monkeypatch.setenv(f"WANDB_{name}", f"env, {name}")
    assert names.given(TrackerConfig()).facts() == {
        "name": "env, NAME", "tags": ["env", "TAGS"], "notes": "env, NOTES", "group": "env, RUN_GROUP", "project": "env, PROJECT",
        "entity": "env, ENTITY",
    }  # fmt: skip
    assert names.given(FULL).facts() == {"name": "mine", "tags": ["a"], "notes": "why", "group": "g", "project": "p", "entity": "e"}


def test_nothing_is_recorded_where_nothing_was_named(monkeypatch: pytest.MonkeyPatch):
    for name in ("NAME", "TAGS", "NOTES", "RUN_GROUP", "PROJECT", "ENTITY"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    assert names.given(TrackerConfig()).facts() == {}


def test_a_run_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("first", "second", "first")):
        record = replace(RunRecord("train", "done", started=f"2026-01-0{number + 1}"), facts={"named": {"name": name}})
        write_json(tmp_path / "outputs" / "train" / str(number) / RUN, record.to_json())
    assert [folder.name for folder in records.find(["first"])] == ["0", "2"]
    assert RunRecord.from_json(record.to_json()).given_name() == "first"

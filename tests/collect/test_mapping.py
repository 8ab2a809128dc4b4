"""A mapping file turns foreign documents into scenarios; the gate refuses those that cannot be solved or judged."""

import json
from pathlib import Path

import pytest

from sekft.collect.mapping import FieldMapping, read, read_mapping, translate
from sekft.errors import ScenarioError, SettingsError
from sekft.scenario.document import Scenario
from tests.collect.conftest import Collect

MAPPING = """\
fields:
  name: id
  kind: archetype
  tool.binary: provider.name
  tool.source: provider.script
  hello: announcement.text
  todo[]: directives
  files[].at: fixtures[].path
  files[].text: fixtures[].content
  judge: checker
  answer: reference
  ends: [terminal, axes.terminal]
values:
  terminal: {done: exit, stuck: panic}
  axes.terminal: {done: exit, stuck: panic}
defaults:
  seed: 0
  announcement.kind: motd
  axes.announcement: motd
  axes.provider: foreign
  axes.doc_depth: 1
  axes.difficulty: plain
"""
THEIRS = {
    "name": "their-1",
    "kind": "copying",
    "tool": {"binary": "olbrin", "source": "#!/bin/sh\n[ \"$1\" = --help ] && echo 'olbrin due' || echo 'Copy a.txt to b.txt.'\n"},
    "hello": "Directives are kept by olbrin.\n",
    "todo": ["Copy a.txt to b.txt."],
    "files": [{"at": "/home/agent/a.txt", "text": "pumpkin\n"}, {"at": "/home/agent/other.txt", "text": "nickel\n"}],
    "judge": "cmp a.txt b.txt",
    "answer": ["olbrin --help", "olbrin due", "cp a.txt b.txt", "exit"],
    "ends": "done",
}


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.yaml"
    path.write_text(MAPPING)
    return path


def test_every_field_is_set_as_the_mapping_tells(mapping: Path):
    scenario = Scenario.model_validate(translate(THEIRS, read_mapping(mapping)))
    assert (scenario.id, scenario.terminal, scenario.axes.terminal, scenario.provider.name) == ("their-1", "exit", "exit", "olbrin")
    assert [(fixture.path, fixture.content) for fixture in scenario.fixtures] == [(file["at"], file["text"]) for file in THEIRS["files"]]
    assert scenario.directives == ("Copy a.txt to b.txt.",)


def test_a_default_of_items_is_set_in_each_item_that_lacks_it_and_adds_no_item(mapping: Path):
    mapping.write_text(MAPPING.replace("  files[].text", "  files[].mode: fixtures[].mode\n  files[].text") + "  fixtures[].mode: 493\n")
    first, second = THEIRS["files"]
    theirs = {**THEIRS, "files": [{**first, "mode": 420}, second]}  # type: ignore[dict-item]
    assert [one["mode"] for one in translate(theirs, read_mapping(mapping))["fixtures"]] == [420, 493]
    assert "fixtures" not in translate({**THEIRS, "files": None}, read_mapping(mapping))


def test_the_gate_admits_what_is_solvable_and_counts_the_rest(gather: Collect, sandbox: str, mapping: Path, tmp_path: Path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    variants = (
        {"name": "a", "judge": "true"},
        {"name": "b", "answer": ["ls", "exit"]},
        {"name": "../c"},
        {"files": [{"at": "/etc/x"}], "name": "d"},
    )
    (folder / "many.jsonl").write_text("\n".join(json.dumps({**THEIRS, **variant}) for variant in [{}, *variants, {}]) + "\nnot json\n")
    summary, episodes = gather("scenarios=theirs", "mapping=theirs.yaml", sandbox)
    assert summary["refused"] == {"forgeable": 1, "invalid": 3, "unparsable": 1, "unsolvable": 1}
    assert [(episode.scenario_id, episode.kept) for episode in episodes] == [("their-1", True)]
    assert [path.name for path in (tmp_path / "run" / "scenarios").iterdir()] == ["their-1.json"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fields: 3", "fields: Input should be a valid dictionary"),
        ("fields: {a: provider, b: provider.name}", "provider is set as a whole, and provider.name in it"),
        ("feilds: {}", "feilds|fields"),
        ("fields: {a: [", "not YAML"),
    ],
)
def test_an_invalid_mapping_is_refused_in_one_line(tmp_path: Path, text: str, named: str):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ScenarioError, match=named) as refused:
        read_mapping(tmp_path / "bad.yaml")
    assert "\n" not in str(refused.value)


def test_documents_of_the_wrong_shape_are_refusals_and_raise_nothing(tmp_path: Path):
    (tmp_path / "a.json").write_text("[1, 2]")
    (tmp_path / "b.json").write_text('{"files": "none", "tool": 3}')
    scenarios, refusals = read(tmp_path, FieldMapping(fields={"tool.binary": "provider.name", "files[].at": "fixtures[].path"}))
    assert not scenarios and {refusal.reason for refusal in refusals.values()} == {"invalid"}


def test_a_mapping_needs_a_file_or_folder_of_documents(gather: Collect, mapping: Path):
    with pytest.raises(SettingsError, match="needs scenarios=FILE_OR_FOLDER"):
        gather("mapping=theirs.yaml", "sandbox=bwrap")

"""Imported episodes: their labels are used, their text becomes the deployed text, records that are not episodes are counted."""

import json
from pathlib import Path

import pytest

from sekft.collect import imports
from sekft.config import SourceConfig, SourceKind
from sekft.data.reader import ReadStats
from sekft.data.sources import stream
from sekft.episode.trajectory import Ending, Outcome
from sekft.errors import DataError
from tests.collect.conftest import Collect

TURNS = [
    {"role": "system", "content": "You live in a shell."},
    {"role": "user", "content": "Directives are kept by olbrin."},
    {"role": "assistant", "content": "olbrin due"},
    {"role": "user", "content": "make a file"},
    {"role": "assistant", "content": "exit"},
]


def put(folder: Path, name: str, *records: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n")
    return path


def test_an_episode_is_read_in_the_deployed_text_without_its_scaffold(tmp_path: Path):
    episodes, left_out = imports.read(put(tmp_path, "one.json", {"messages": TURNS, "keep": True, "steps": 2, "outcome": "verified"}))
    assert not left_out and [message.content for message in episodes[0].messages] == [
        "Directives are kept by olbrin.\n$ ",
        "olbrin due",
        "make a file\n$ ",
        "exit",
    ]
    assert episodes[0].kept and episodes[0].outcome is Outcome.verified and episodes[0].meta["steps"] == 2
    assert [(command.turn, command.text) for command in episodes[0].commands] == [(1, "olbrin due"), (3, "exit")]
    assert episodes[0].meta["system_turns_stripped"] == 1


def test_neighbours_of_one_role_are_merged_and_unicode_line_ends_are_text(tmp_path: Path):
    turns = [
        *TURNS[1:3],
        {"role": "assistant", "content": "ls"},
        {"role": "tool", "content": "a\u2028b"},
        {"role": "tool", "content": "c"},
        TURNS[4],
    ]
    (tmp_path / "one.jsonl").write_text(json.dumps({"messages": turns, "meta": None}, ensure_ascii=False) + "\n")
    episodes, left_out = imports.read(tmp_path / "one.jsonl")
    assert not left_out and [message.content for message in episodes[0].messages[1:3]] == ["olbrin due\nls", "a\u2028b\nc\n$ "]


@pytest.mark.parametrize(
    ("labels", "last", "outcome"),
    [
        ({"keep": True}, "exit", Outcome.verified),
        ({"keep": True}, "panic no such file", Outcome.justified_panic),
        ({"outcome": "verified"}, "exit 0", Outcome.verified),
        ({"keep": False}, "exit", Outcome.false_exit),
        ({"keep": False}, "panic", Outcome.false_panic),
        ({}, "exit", Outcome.false_exit),
        ({"keep": True, "meta": {"clean": False}}, "exit", Outcome.prose),
        ({"keep": True, "meta": {}}, "ls", Outcome.ran_out),
        ({"keep": True, "meta": {"clean": None}}, "exit", Outcome.verified),
    ],
)
def test_labels_are_used_and_the_keep_rule_is_that_of_sekft(tmp_path: Path, labels: dict, last: str, outcome: Outcome):
    episodes, _ = imports.read(put(tmp_path, "one.jsonl", {"turns": [*TURNS[:-1], {"role": "assistant", "content": last}], **labels}))
    assert episodes[0].outcome is outcome and episodes[0].kept == (outcome in (Outcome.verified, Outcome.justified_panic))


def test_folders_of_documents_and_lines_mix_and_attempts_at_one_scenario_are_numbered(tmp_path: Path):
    folder = tmp_path / "logs"
    put(folder, "a.json", TURNS)
    put(folder, "b.jsonl", {"messages": TURNS, "scenario": "w"}, {"messages": TURNS, "scenario": "w"}, {"nothing": 1})
    put(folder, "c.json", {"messages": [{"role": "wizard", "content": "hm"}]})
    (folder / "d.json").write_text("no JSON")
    put(folder, "e.json", {"messages": TURNS[:2]})
    put(folder, "f.json", {"messages": [*TURNS, TURNS[0], TURNS[4]]})
    episodes, left_out = imports.read(folder)
    assert [episode.id for episode in episodes] == ["a#0@imported", "w#0@imported", "w#1@imported"]
    assert left_out == {
        "messages: Field required": 1,
        "messages.0.role: unknown role 'wizard'; allowed: system, user, assistant, and what other tools call them": 1,
        "invalid JSON: lexical error: invalid string in json text.": 1,
        "no assistant turn": 1,
        "a system turn in the middle": 1,
    }


@pytest.mark.parametrize("field", ["scenario_id", "bundle_id", "task_id", "id"])
def test_the_scenario_is_read_from_any_of_its_field_names(tmp_path: Path, field: str):
    episodes, _ = imports.read(put(tmp_path, "one.jsonl", {"messages": TURNS, field: "w"}))
    assert episodes[0].scenario_id == "w"


def test_an_input_without_episodes_is_refused_in_one_line(tmp_path: Path):
    with pytest.raises(DataError, match=r"no episode in it \(no \*\.json"):
        imports.read(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        imports.read(tmp_path / "nowhere")


def test_imported_episodes_can_be_trained_on_and_imported_again(gather: Collect, tmp_path: Path):
    put(tmp_path / "logs", "a.jsonl", {"messages": TURNS, "keep": True}, {"messages": TURNS, "keep": False}, {"x": 1})
    summary, episodes = gather("imports=logs", "export=[messages]")
    assert (summary["episodes"], summary["kept"], summary["refused"]) == (2, 1, {"messages: Field required": 1})
    stats = ReadStats()
    path = str(tmp_path / "run" / "trajectories.jsonl")
    samples = list(stream("imported", SourceConfig(kind=SourceKind.trajectories, path=path), stats))
    assert len(samples) == 1 and stats.skipped == {"false_exit": 1}
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert 0 < card["tokens"]["learned_share"] < 1 and card["agent"] == "imported"
    again, same = gather("imports=run/trajectories.jsonl", folder="again")
    assert same == episodes and [episode.ending for episode in same] == [Ending.exit, Ending.exit]

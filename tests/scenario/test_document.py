"""The scenario format: documents are read back unchanged, or refused in one line that names file and field."""

import json
from pathlib import Path
from typing import Any

import pytest

from sekft.errors import ScenarioError
from sekft.scenario import library
from sekft.scenario.document import MAX_DOCUMENT_BYTES, MAX_TEXT, SCHEMA_FILE, dumps, read, read_all, write


def document(**changes: Any) -> dict[str, Any]:
    return library.make("copy", 0).model_dump(mode="json") | changes


def fixture(**changes: Any) -> dict[str, Any]:
    return {"path": "/home/agent/lemon.txt"} | changes


def refusal(folder: Path, content: object) -> str:
    """The error of reading this content; asserts that it is one line that names the file."""
    path = folder / "scenario.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ScenarioError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("archetype", library.archetypes())
def test_a_scenario_is_read_back_unchanged(archetype: str, tmp_path: Path) -> None:
    scenarios = [library.make(archetype, index) for index in range(8)]
    write(scenarios, tmp_path)
    assert read_all(tmp_path) == scenarios
    assert [(tmp_path / f"{scenario.id}.json").read_text(encoding="utf-8") for scenario in scenarios] == [dumps(w) for w in scenarios]


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "/home/agent/../../etc/passwd",
        "/etc/passwd",
        "/home/agent",
        "/home/agentx/lemon.txt",
        "/home/agent//lemon.txt",
        "/home/agent/lemon.txt/",
        "/home/agent/lemon\n.txt",
        "/home/agent/lemon\0.txt",
        "/home/agent/" + "a" * 600,
        "",
    ],
)
def test_a_path_outside_the_directories_of_a_scenario_is_refused(path: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, document(fixtures=[fixture(path=path)])).startswith("fixtures.0.path: ")


@pytest.mark.parametrize("target", ["/etc/passwd", "/", "../../../etc/passwd", "harbor/../../x", "/srv/../etc/passwd", ""])
def test_a_symlink_that_points_out_of_the_scenario_is_refused(target: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, document(fixtures=[fixture(kind="symlink", content=target)])).startswith("fixtures.0: ")


@pytest.mark.parametrize(
    ("fixtures", "found"),
    [
        ([fixture(), fixture()], "same path"),
        ([fixture(), fixture(path="/home/agent/lemon.txt/pear.txt")], "not a directory"),
        ([fixture(kind="symlink", content="/srv/pear"), fixture(path="/home/agent/lemon.txt/pear.txt")], "not a directory"),
        ([fixture(path="/usr/local/bin/panic", owner="root")], "called exit or panic"),
        ([fixture(path="/srv/lemon.txt")], "belongs to root"),
        ([fixture(owner="root")], "belongs to agent"),
        ([fixture(mode=0o4755)], "a mode is octal"),
        ([fixture(mode=644)], "a mode is octal"),
        ([fixture(mode=444)], "a mode is octal"),
        ([fixture(mode="rw-r--r--")], "allowed: octal digits"),
        ([fixture(mode="4755")], "less than or equal to 511"),
        ([fixture(content="x" * (MAX_TEXT + 1))], "at most"),
        ([fixture(content="nul\0")], "pattern"),
        ([fixture(path=f"/home/agent/{number}") for number in range(300)], "at most 256"),
    ],
)
def test_fixtures_that_contradict_each_other_or_exceed_bounds_are_refused(
    fixtures: list[dict[str, Any]], found: str, tmp_path: Path
) -> None:
    message = refusal(tmp_path, document(fixtures=fixtures))
    assert message.startswith("fixtures") and found in message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"schema_version": 2}, "schema_version"),
        ({"id": "../lemon"}, "id"),
        ({"terminal": "panic"}, "axes.terminal"),
        ({"reference": ["ls"]}, "reference"),
        ({"reference": []}, "reference"),
        ({"reference": ["ls"] * 30 + ["exit"]}, "reference"),
        ({"environment": {"PATH": "/tmp"}}, "PATH"),
        ({"environment": {"PS1": "# "}}, "PS1"),
        ({"environment": {"lower": "x"}}, "environment"),
        ({"environment": {"SITE": "x\0"}}, "environment"),
        ({"checker": ""}, "checker"),
        ({"provider": {"name": "panic", "script": ""}}, "provider.name"),
        ({"provider": {"name": "../lemon", "script": ""}}, "provider.name"),
        ({"announcement": {"kind": "help", "text": "x"}}, "axes.announcement"),
        ({"announcement": {"kind": "env", "text": "x", "variable": "HOME"}}, "HOME"),
        ({"announcement": {"kind": "file", "text": "x", "path": "/etc/motd"}}, "announcement.path"),
        ({"announcement": {"kind": "file", "text": "x", "path": "/usr/local/bin/panic"}}, "announcement.path"),
        ({"limits": {"turns": 0}}, "limits.turns"),
    ],
)
def test_a_document_that_breaks_the_format_is_refused_with_the_field(changes: dict[str, Any], field: str, tmp_path: Path) -> None:
    assert field in refusal(tmp_path, document(**changes))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"\\ud800"', "{}"])
def test_a_document_that_is_no_scenario_is_refused(text: str, tmp_path: Path) -> None:
    refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checkr": "x"}, "checkr: unknown key; did you mean checker? allowed: schema_version, "),
        ({"provider": {"name": "x", "skript": ""}}, "provider.skript: unknown key; did you mean script?"),
        ({"limits": {"turn": 3}}, "limits.turn: unknown key; did you mean turns? allowed: turns, command_timeout_s"),
        ({"reference": ["ls"]}, "reference: last reply is 'ls', allowed: exit"),
    ],
)
def test_a_refusal_names_the_key_and_never_prints_the_document(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    found = refusal(tmp_path, document(**changes))
    assert found.startswith(message) and len(found) < 300 and "{" not in found


def test_yaml_is_read_like_json_with_modes_in_octal_and_what_can_be_derived_left_out(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(document()))
    fixtures = [fixture(mode="0600"), fixture(path="/home/agent/two", mode="755"), fixture(path="/home/agent/three")]
    short = {key: value for key, value in document(fixtures=fixtures).items() if key not in ("axes", "seed", "archetype", "terminal")}
    (tmp_path / "two.yaml").write_text(json.dumps({"$schema": "x", **short, "id": "two"}))
    (tmp_path / SCHEMA_FILE).write_text("{}")
    one, two = read_all(tmp_path)
    assert [file.mode for file in two.fixtures] == [0o600, 0o755, 0o644] and (two.archetype, two.seed) == ("own", 0)
    assert (two.axes.announcement, two.axes.terminal, two.terminal) == (one.announcement.kind, one.terminal, one.terminal)


@pytest.mark.parametrize(
    ("text", "message"), [("id: x\n\tchecker: y", "one.yaml:2: not YAML: "), ("- x", "one.yaml: found list, allowed: one")]
)
def test_a_file_that_is_no_yaml_document_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(text)
    with pytest.raises(ScenarioError, match=message):
        read(tmp_path / "one.yaml")


def test_an_oversized_document_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    with path.open("wb") as file:
        file.truncate(MAX_DOCUMENT_BYTES + 1)
    with pytest.raises(ScenarioError, match=f"{MAX_DOCUMENT_BYTES + 1} bytes, allowed: {MAX_DOCUMENT_BYTES}"):
        read(path)


def test_two_scenarios_with_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps(document()))
    with pytest.raises(ScenarioError, match="two scenarios with the id copy-0000"):
        read_all(tmp_path)


def test_a_folder_without_scenarios_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no scenario in this folder"):
        read_all(tmp_path)
    with pytest.raises(ScenarioError, match="No such file"):
        read_all(tmp_path / "nowhere.json")


def test_scenarios_are_not_written_to_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ScenarioError, match="taken: File exists"):
        write([library.make("copy", 0)], tmp_path / "taken")

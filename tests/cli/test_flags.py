"""The predecessor's flags are overrides by another name."""

from pathlib import Path

import pytest

from sekft.cli.flags import to_overrides, wants_preview
from sekft.errors import SettingsError


def test_the_four_command_lines_of_the_predecessor_become_overrides():
    assert to_overrides("train", ["--data", "D", "--base", "org/B", "--out", "O", "--load-4bit"]) == [
        "data=[own]", "data.path='D'", "model.path='org/B'", "model.weights=pretrained", "model.name='B'", "model.why=null",
        "hydra.run.dir='O'", "model.load_4bit=true",
    ]  # fmt: skip
    assert to_overrides("train", ["--data=D", "--inspect"]) == ["data=[own]", "data.path='D'"]
    assert wants_preview(["--inspect"]) and not wants_preview(["--data", "D"])
    assert to_overrides("eval", ["--adapter", "A", "--scenarios", "S", "--n", "16"]) == [
        "adapter='A'",
        "scenarios='S'",
        "eval.episodes='16'",
    ]


def test_what_a_chat_was_told_by_flags_it_is_told_by_overrides():
    assert to_overrides("chat", ["--checkpoint", "C", "--interactive"]) == ["adapter='C'", "mode=talk"]
    assert to_overrides("chat", ["--checkpoint=C", "--prompt", "a, b"]) == ["adapter='C'", "prompt='a, b'"]
    assert to_overrides("chat", ["--test"]) == ["mode=suite"]


def test_n_is_the_number_of_scenarios_for_every_command():
    assert [to_overrides(command, ["--n", "3"]) for command in ("train", "check")] == [["eval.episodes='3'"], ["episodes='3'"]]


def test_overrides_and_hydras_own_flags_pass_untouched():
    argv = ["-m", "lora=r8,r16", "--cfg", "job", "+x=1"]
    assert to_overrides("train", argv) == argv


def test_a_value_with_commas_blanks_and_quotes_is_one_value():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    path = "a b,c=d/it's"
    _, override = to_overrides("train", ["--data", path])
    assert OverridesParser.create().parse_override(override).value() == path


@pytest.mark.parametrize("argv", [["--data"], ["--data="], ["--data", "--base"]])
def test_a_flag_without_its_value_is_refused(argv: list[str]):
    with pytest.raises(SettingsError, match="--data: no value given"):
        to_overrides("train", argv)


def test_a_file_of_own_data_is_a_source_and_sources_are_chosen_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert to_overrides("train", ["-m", "data.path=a,b", "seed=1"]) == ["-m", "data=[own]", "data.path=a,b", "seed=1"]
    for chosen in (["data=[shell,own]", "data.path=a"], ["data=[shell]"], ["data=shell"], ["data.path=null"]):
        assert to_overrides("preview", chosen) == chosen
    assert to_overrides("collect", ["data.path=a"]) == ["data.path=a"]  # it has every source at hand
    for word, line in {
        "data=mine.jsonl": "write data.path=mine.jsonl",
        "data=[hf/set]": "write data.path=hf/set",
        "data=folder": "write data.path=folder",
        "data=[shell,./x]": "write 'data=[own,shell]' data.path=./x",
    }.items():
        with pytest.raises(SettingsError) as refused:
            to_overrides("train", [word])
        assert str(refused.value) == f"{word}: data= chooses sources by name; for a file or folder of your own {line}"
    with pytest.raises(SettingsError, match=r"^data=\[oasst\]: lacks `own`, .*; write 'data=\[own,oasst\]' data.path=x$"):
        to_overrides("train", ["data=[oasst]", "data.path=x"])
    with pytest.raises(SettingsError, match="^folder: a file or folder without the setting it is for; .* write data.path=folder$"):
        to_overrides("preview", ["folder"])
    with pytest.raises(SettingsError, match="^data.format=alpaca: there is no data.path, .* write data.path=FILE data.format=alpaca$"):
        to_overrides("preview", ["data.format=alpaca"])
    assert to_overrides("train", ["--config-dir", "folder"]) == ["--config-dir", "folder"]


@pytest.mark.parametrize("name", ["a b.jsonl", "a (1).jsonl", "a,b.jsonl", "ä=b.jsonl", "it's.jsonl", "x#1", "~/nowhere.jsonl"])
def test_a_path_is_read_as_it_is_typed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    monkeypatch.chdir(tmp_path)
    if not name.startswith("~"):
        Path(name).write_text("")
    for word in (f"data.path={name}", f"+adapter={name}"):
        override = OverridesParser.create().parse_override(to_overrides("train", [word])[-1])
        assert override.value() == name
    for word in ("lora=r8,r16", "data=[shell,oasst]", "seed=range(1,4)", "model.path='a b'", "trainer.extra={a: 1}"):
        assert to_overrides("train", [word]) == [word]

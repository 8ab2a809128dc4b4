"""The predecessor's flags are overrides by another name."""

import pytest

from sekft.cli.flags import to_overrides, wants_preview
from sekft.errors import SettingsError


def test_the_four_command_lines_of_the_predecessor_become_overrides():
    assert to_overrides("train", ["--data", "D", "--base", "org/B", "--out", "O", "--load-4bit"]) == [
        "data.sources.shell.path='D'", "model.path='org/B'", "model.weights=pretrained", "model.name='B'", "model.why=null",
        "hydra.run.dir='O'", "model.load_4bit=true",
    ]  # fmt: skip
    assert to_overrides("train", ["--data=D", "--inspect"]) == ["data.sources.shell.path='D'"]
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
    (override,) = to_overrides("train", ["--data", path])
    assert OverridesParser.create().parse_override(override).value() == path


@pytest.mark.parametrize("argv", [["--data"], ["--data="], ["--data", "--base"]])
def test_a_flag_without_its_value_is_refused(argv: list[str]):
    with pytest.raises(SettingsError, match="--data: no value given"):
        to_overrides("train", argv)

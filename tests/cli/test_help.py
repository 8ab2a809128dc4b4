"""--help names every setting with its meaning, unit, range, default and example; the examples are valid; lines fit the terminal."""

import re
import shlex

import pytest
from omegaconf import OmegaConf

from sekft.cli.help import composed_defaults, default_of, help_text
from sekft.cli.settings import settings as typed
from sekft.cli.words import groups
from sekft.config.commands import COMMANDS
from sekft.config.reference import NAME, sections, settings
from sekft.errors import SettingsError


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_has_a_meaning_a_unit_a_range_a_default_and_an_example(command: str):
    defaults = composed_defaults(command, groups(command))
    for setting in settings(COMMANDS[command]):
        assert setting.meaning and setting.range and setting.example and default_of(setting, defaults), setting
        if "number" in setting.range:
            assert setting.unit, f"{setting.key}: begin its comment with a unit in brackets"
        if re.match(r"a (whole )?number", setting.range):
            assert re.search(r"\d or more|\d to \d", setting.range), f"{setting.key}: give it bounds, see sekft/config/bounds.py"
        assert "???" not in default_of(setting, defaults)
    assert all(section.meaning for section in sections(COMMANDS[command]) if section.key)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_is_a_valid_value(command: str):
    node = COMMANDS[command]
    required = {
        "model.name": "x",
        "model.path": "x",
        "agent.kind": "model",
        "author.kind": "none",
        "tracker.kind": "none",
        "split.name": "x",
    }
    required |= {"lora.name": "x", "lora.r": 1, "lora.alpha": 1, "mask.rule": "final", "data.sources.NAME.kind": "messages"}
    needed = {key: value for key, value in required.items() if any(setting.key == key for setting in settings(node))}
    for setting in settings(node):
        (word,) = shlex.split(setting.override())
        key, _, value = word.partition("=")
        given = OmegaConf.create()
        for name, item in needed.items():
            OmegaConf.update(given, name, item)
        if "'" not in value:
            OmegaConf.update(given, key, OmegaConf.from_dotlist([f"x={value}"]).x, force_add=True)
        typed(given, node)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_fits_eighty_columns_and_names_every_group_and_setting(command: str):
    text = help_text(command, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"\n  {setting.key} = " in text or f"\n  {setting.key}\n" in text for setting in settings(COMMANDS[command]))
    assert [line.split()[0] for line in text.split("GROUPS")[1].split("SETTINGS")[0].splitlines()[1:] if re.match(r"  \w", line)] == list(
        groups(command)
    )


def test_a_topic_narrows_the_help():
    trainer = help_text("train", ["--help", "trainer"], 80)
    assert "trainer.lr = automatic" in trainer and "* auto" in trainer and "lora.r " not in trainer
    rate = help_text("train", ["--help", "lr"], 80)
    assert "trainer.lr = automatic" in rate and "trainer.epochs" not in rate and "1e-3" in rate
    assert f"data.sources.{NAME}.path" in help_text("train", ["data.sources.mine.path"], 80)
    assert "lora.r = 8" in help_text("train", ["lora=r8", "lora.r"], 80)
    with pytest.raises(SettingsError, match="--help trianer: no such group or setting; did you mean trainer?"):
        help_text("train", ["--help", "trianer"])

"""Automatic settings: null where they are composed, values with a reason where a run begins; what is given wins."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from sekft.cli.settings import conf_folder, settings, settled
from sekft.config import Schedule, TrainConfig
from sekft.config.automatic import Choice, lines, open_keys, record, with_open_settings
from sekft.config.commands import COMMANDS, register
from sekft.errors import SettingsError


@pytest.fixture(autouse=True)
def hydra_here() -> Iterator[None]:
    register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield


def rule(_: TrainConfig, open_keys: frozenset[str]) -> list[Choice]:
    wanted = [
        Choice("trainer.lr", 7e-5, "a test"),
        Choice("trainer.schedule", Schedule.cosine, "a test"),
        Choice("eval.episodes", 5, "few"),
    ]
    return [choice for choice in wanted if choice.key in open_keys]


def chosen(*words: str) -> tuple[TrainConfig, tuple[Choice, ...]]:
    return settled(compose("train", list(words)), TrainConfig, rule)


def test_what_nobody_gives_is_chosen_and_what_the_rule_leaves_is_the_default_of_the_field():
    settings, choices = chosen()
    assert (settings.trainer.lr, settings.trainer.schedule, settings.eval.episodes) == (7e-5, Schedule.cosine, 5)
    assert settings.trainer.epochs == TrainConfig().trainer.epochs and len(choices) == 3


@pytest.mark.parametrize("words", [("trainer.lr=3e-3",), ("++trainer.lr=3e-3",), ("experiment=lr_x_rank", "trainer.lr=3e-3")])
def test_a_key_on_the_command_line_wins(words: tuple[str, ...]):
    settings, choices = chosen(*words)
    assert settings.trainer.lr == 3e-3 and "trainer.lr" not in record(choices)


def test_a_recipe_wins_and_null_on_the_command_line_gives_the_key_back_to_the_rule():
    settings, choices = chosen("experiment=lr_x_rank")
    assert (settings.trainer.lr, settings.eval.episodes) == (2e-3, 64) and set(record(choices)) == {"trainer.schedule"}
    assert chosen("experiment=lr_x_rank", "trainer.lr=null")[0].trainer.lr == 7e-5


def test_a_file_of_the_group_wins(tmp_path: Path):
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "mine.yaml").write_text("lr: 1e-6\n")
    settings, choices = chosen("trainer=mine", f"hydra.searchpath=[file://{tmp_path}]")
    assert settings.trainer.lr == 1e-6 and settings.trainer.schedule is Schedule.cosine and "trainer.lr" not in record(choices)


def test_eval_none_is_not_filled_in():
    assert chosen("eval=none")[0].eval.episodes == 0


def test_null_is_allowed_for_automatic_settings_only():
    with pytest.raises(Exception, match="weight_decay"):
        compose("train", ["trainer.weight_decay=null"])
    for command in ("collect", "chat"):
        assert settings(compose(command, ["eval.max_turns=null"]), COMMANDS[command]).eval.max_turns == 16  # no rule: the field's default


def test_a_chosen_value_is_held_to_the_bounds():
    with pytest.raises(SettingsError, match=r"^trainer.batch: found 0, allowed: 1 or more"):
        settled(compose("train"), TrainConfig, lambda settings, keys: [Choice("trainer.batch", 0, "wrong")])


def test_the_composed_type_is_the_settings_type_with_nulls():
    opened = with_open_settings(TrainConfig)
    assert issubclass(opened, TrainConfig) and opened().trainer.lr is None and with_open_settings(COMMANDS["status"]) is COMMANDS["status"]
    assert set(open_keys({"trainer": {"lr": None, "weight_decay": None, "batch": 3}}, TrainConfig)) == {"trainer.lr"}


def test_choices_with_one_reason_share_a_line():
    choices = [Choice("a.x", 1, "one"), Choice("a.y", 2, "one"), Choice("b", 3, "other"), Choice("c", 4, "one")]
    assert list(lines(choices)) == ["chosen: a.x=1 a.y=2 (one)", "chosen: b=3 (other)", "chosen: c=4 (one)"]

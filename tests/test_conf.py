"""Every option and every experiment composes into the typed settings, and what does not is refused in one line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from sekft import config
from sekft.cli.launch import skip_evaluation
from sekft.cli.settings import conf_folder, settings
from sekft.config import commands
from sekft.config.bounds import at_least, between, require_bounds
from sekft.errors import SettingsError

CONF = conf_folder()
GROUPS = {"train": ["model", "data", "lora", "mask", "trainer", "eval", "sandbox", "split", "tracker", "where", "sweep", "experiment"]}
GROUPS["eval"] = ["agent", "model", "eval", "sandbox", "split", "tracker", "where"]
GROUPS["collect"] = ["agent", "author", "model", "eval", "sandbox", "split"]
GROUPS["chat"] = ["model", "eval", "sandbox", "split"]
GROUPS["check"] = ["sandbox", "split"]
GROUPS["serve"] = ["model"]
GROUPS["preview"] = ["model", "data", "mask", "trainer", "sandbox", "split"]
CHOICES = [
    (command, f"{group}=[{option.stem}]" if group == "data" else f"{group}={option.stem}")
    for command, groups in GROUPS.items()
    for group in groups
    for option in sorted((CONF / group).glob("*.yaml"))
]


@pytest.fixture(autouse=True)
def hydra_here() -> Iterator[None]:
    commands.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(command: str, *overrides: str):
    return settings(compose(command, list(overrides)), commands.COMMANDS[command])


def test_every_command_has_its_module_its_defaults_and_its_types():
    root = Path(config.__file__).parents[1]
    for command in commands.COMMANDS:
        assert (root / f"{command}.py").exists() or (root / command / "__main__.py").exists()
        assert (CONF / f"{command}.yaml").exists()
        composed(command)


@pytest.mark.parametrize(("command", "choice"), CHOICES, ids=lambda value: value)
def test_every_option_composes(command: str, choice: str):
    composed(command, choice)


@pytest.mark.parametrize(
    ("words", "episodes"),
    [
        (("experiment=demo",), 64),
        (("experiment=demo", "eval=none"), 0),
        (("eval=none", "experiment=demo", "eval.episodes=3"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_eval_none_skips_the_eval_of_a_recipe_unless_a_number_is_typed(words: tuple[str, ...], episodes: int):
    chosen = settings(skip_evaluation(compose("train", list(words)), words), commands.COMMANDS["train"])
    assert (chosen.eval.episodes, chosen.eval.every_steps) == (episodes, 0)


def test_every_option_file_belongs_to_a_group_that_is_tested():
    assert {path.parent.name for path in CONF.glob("*/*.yaml")} == {group for groups in GROUPS.values() for group in groups}


def test_every_experiment_has_its_page():
    for recipe in (CONF / "experiment").glob("*.yaml"):
        page = recipe.with_suffix(".md").read_text()
        assert all(f"## {part}" in page for part in ("Question", "Prediction", "Command", "Result", "Verdict")), recipe.name


def test_the_keys_others_rely_on_are_there():
    keys = [
        "seed",
        "workers",
        "adapter",
        "scenarios",
        "model.path",
        "model.weights",
        "model.load_4bit",
        "model.device",
        "data.sources.shell.path",
        "lora.r",
        "lora.alpha",
        "mask",
        "trainer.lr",
        "trainer.max_steps",
        "trainer.max_tokens",
        "trainer.resume_from",
        "eval.episodes",
        "eval.every_steps",
        "eval.temperature",
        "sandbox.backend",
        "experiment",
    ]
    cfg = compose("train")
    for key in keys:
        node = cfg
        for part in key.split("."):
            assert part in node, key
            node = node[part]


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("+lora.rr=8", ["unknown key lora.rr", "allowed: name, r, alpha"]),
        ("+nonsense=1", ["nonsense"]),
        ("lora.r=???", ["no value for lora.r"]),
        ("+data.sources.shell.wieght=1", ["wieght"]),
    ],
)
def test_what_hydra_lets_pass_is_refused_by_settings(override: str, named: list[str]):
    with pytest.raises(SettingsError) as refused:
        composed("train", override)
    assert all(word in str(refused.value) for word in named) and "\n" not in str(refused.value)


NUMBERS = ("trainer.batch=0", "trainer.accumulation=0", "trainer.lr=-1", "seed=-1", "workers=-3", "eval.episodes=-1", "trainer.max_steps=0",
           "eval.max_reply_tokens=0", "eval.temperature=-1", "data.validation_share=1", "split.train_scenarios=0", "lora.r=-1")  # fmt: skip


@pytest.mark.parametrize("override", NUMBERS)
def test_a_number_out_of_bounds_names_its_key_and_what_is_allowed(override: str):
    with pytest.raises(SettingsError, match=rf"^{override.split('=')[0]}: found .*, allowed: "):
        composed("train", override)


def test_bounds_hold_for_a_settings_object_and_for_those_in_its_dictionaries():
    @dataclass
    class Part:
        share: float = between(0, 1, default=0.5)

    @dataclass
    class Whole:
        steps: int = at_least(-1, default=-1, excluded=0)
        parts: dict[str, Part] = field(default_factory=dict)

    require_bounds(Whole(1, {"a": Part()}))
    for settings_object, line in (
        (Whole(0), "steps: found 0, allowed: -1 or more, not 0"),
        (Whole(-2), "steps: found -2, allowed: -1 or more, not 0"),
        (Whole(1, {"a": Part(2.0)}), "parts.a.share: found 2.0, allowed: 0 to 1"),
    ):
        with pytest.raises(SettingsError) as refused:
            require_bounds(settings_object)
        assert str(refused.value) == line


def test_sources_mix_by_listing_them():
    assert list(composed("train", "data=[shell]").data.sources) == ["shell"]

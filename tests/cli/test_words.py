"""A word that is no setting is refused in one line with the override that it was meant to be."""

import re
from pathlib import Path

import pytest

from sekft.cli.words import given_twice, require_known, with_new_keys
from sekft.config.commands import COMMANDS
from sekft.config.foreign import KEYS, LORA, TRAINER, require_undecided
from sekft.config.reference import settings as settings_of
from sekft.errors import SettingsError

MEANT = {  # command line -> the override that the answer names
    "train lr=3": "trainer.lr=3",
    "train trainer.learning_rate=1e-3": "trainer.lr=1e-3",
    "train modl=tiny": "model=tiny",
    "train lora.rank=3": "lora.r=3",
    "train lora.lora_alpha=8": "lora.alpha=8",
    "train trainer.lrr=1": "trainer.lr=1",
    "train num_train_epochs=2": "trainer.epochs=2",
    "train sequence_len=512": "trainer.max_tokens=512",
    "train +data.sources.shell.wieght=1": "data.sources.shell.weight=1",
    "train --lr 1e-3": "trainer.lr=1e-3",
    "train --learning-rate=1e-3": "trainer.lr=1e-3",
    "train --model_name_or_path org/B": "model.path=org/B",
    "train --load_in_4bit -m": "model.load_4bit=true",
    "train --bf16": "trainer.precision=bfloat16",
    "train --dry-run": "dry_run=true",
    "train trainer.lr 1e-3": "trainer.lr=1e-3",
    "train --confg-dir x": "--config-dir",
    "train recipe.yaml": "--config-dir FOLDER experiment=recipe",
    "eval episodes=3": "eval.episodes=3",
    "eval --limit 3": "eval.episodes=3",
    "status --all": "all=true",
    "serve port=1": "serve.port=1",
    "check trainer.lr=1": "a setting of sekft.train, sekft.preview",
    "train nonsense=1": "allowed: model, data",
}


@pytest.mark.parametrize("line", MEANT)
def test_what_is_no_setting_is_answered_with_what_was_meant(line: str):
    command, *words = line.split()
    with pytest.raises(SettingsError) as refused:
        require_known(command, words)
    assert MEANT[line] in str(refused.value) and "\n" not in str(refused.value)


def test_what_hydra_and_the_command_know_passes():
    for line in ("-m lora=r8,r16", "--cfg job",
                 "--config-dir x experiment=y", "hydra.run.dir=x", "eval/gate=standard", "~eval.gate.loss",
                 "+split.train_weights.sort=3", "data.sources.mine.path=x", "where.options.image=x", "--multirun"):  # fmt: skip
        require_known("train", line.split())
    for command, node in COMMANDS.items():
        require_known(command, [f"{setting.key}=1" for setting in settings_of(node)])


def test_every_name_of_another_tool_leads_to_a_setting_that_exists():
    for name, ours in KEYS.items():
        require_known("eval" if ours.startswith("agent.") else "train", [ours if "=" in ours else f"{ours}=1"])
        assert name == name.lower()


def test_a_key_below_a_free_setting_needs_no_plus():
    assert with_new_keys("train", ["trainer.extra.optim=sgd", "trainer.lr=1", "-m"]) == ["++trainer.extra.optim=sgd", "trainer.lr=1", "-m"]


@pytest.mark.parametrize(("group", "names"), [("trainer", TRAINER), ("lora", LORA)])
def test_extra_refuses_every_field_that_a_setting_decides(group: str, names: dict[str, str]):
    settings = COMMANDS["train"]()
    for name, ours in names.items():
        getattr(settings, group).extra = {name: 1}
        with pytest.raises(SettingsError, match=f"^{group}.extra.{name}: .*write {ours}"):
            require_undecided(settings)
    settings.trainer.extra, settings.lora.extra = {"neftune_noise_alpha": 5}, {"use_rslora": True}
    require_undecided(settings)


@pytest.mark.parametrize(
    ("command", "word", "meant"),
    [
        ("train", "base_model=tiny", "model=tiny?"),
        ("train", "base_model=org/name", "model.path=org/name?"),
        ("train", "resume_from_checkpoint=true", "start=resume parent=RUN?"),
        ("train", "assistant_only_loss=true", "mask=assistant?"),
        ("train", "packing=true", "trainer.tokens_per_batch=4096?"),
        ("train", "gradient_checkpointing=true", "trainer.checkpointing=true?"),
    ],
)
def test_a_switch_of_another_tool_is_answered_by_what_it_is_here(command: str, word: str, meant: str):
    with pytest.raises(SettingsError, match=re.escape(f"did you mean {meant}")):
        require_known(command, [word])


@pytest.mark.parametrize(("command", "write"), [("compare", "runs="), ("status", "runs="), ("check", "path="), ("eval", "adapter=")])
def test_a_folder_without_its_setting_is_told_which(command: str, write: str, tmp_path: Path):
    with pytest.raises(SettingsError, match=re.escape(f"write {write}{tmp_path}")):
        require_known(command, [str(tmp_path)])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["lora=r8", "lora=r16"], "lora: given twice, as r8 and as r16; the last one counts"),
        (["-m", "seed=1,2", "+seed=3"], "seed: given twice, as 1,2 and as 3; the last one counts"),
    ],
)
def test_a_key_that_is_given_two_values_is_named(words: list[str], line: str):
    assert given_twice(words) == [line]


def test_two_values_of_the_data_are_refused():
    with pytest.raises(SettingsError, match=r"data.path: given twice, as A and as B; allowed: one value; several files .*data.md"):
        given_twice(["data.path=A", "seed=1", "data.path=B"])


def test_a_key_may_be_repeated_with_one_value_and_have_several_in_a_sweep():
    words = ["-m", "seed=1,2", "lora=r8", "lora.r=4", "lora=r8", "~seed", "hydra.sweeper.params.seed=1", "--config-dir", "seed=1,2"]
    assert given_twice(words) == []

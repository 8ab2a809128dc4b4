"""An override with a name of the first edition is answered by one line that gives the present name; its records stay readable."""

import json
import time
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from sekft.cli.recorded import recorded_settings
from sekft.cli.settings import conf_folder
from sekft.config import TrainConfig
from sekft.config.commands import COMMANDS
from sekft.config.renamed import KEYS, OPTIONS, require_new_names, upgraded_word
from sekft.errors import SettingsError
from sekft.scenario.split import SETS
from sekft.tracking import records
from tests.conftest import run_command


def keys_of(node: DictConfig, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key in map(str, node):
        found.add(prefix + key)
        if isinstance(value := node._get_node(key), DictConfig) and not value._is_none():
            found |= keys_of(value, f"{prefix}{key}.")
    return found


PRESENT = {key for node in COMMANDS.values() for key in keys_of(OmegaConf.structured(node))} | {
    "hydra.sweeper.scenarios",
    "data.sources.own",
}


@pytest.mark.parametrize(("old", "new"), KEYS.items())
def test_every_old_key_is_answered_by_the_new_one(old: str, new: str):
    assert new in PRESENT and old not in PRESENT
    for sign in ("", "+", "++"):
        with pytest.raises(SettingsError) as refused:
            require_new_names(["seed=1", f"{sign}{old}=3"])
        assert str(refused.value) == f"{old}: renamed; write {sign}{new}=3"
    with pytest.raises(SettingsError, match=f"^{old}: renamed; write ~{new}$"):
        require_new_names([f"~{old}"])
    with pytest.raises(SettingsError, match=f"write hydra.sweeper.params.{new}=1,2$"):
        require_new_names([f"hydra.sweeper.params.{old}=1,2"])


@pytest.mark.parametrize(("key", "old", "new"), [(key, old, new) for key, names in OPTIONS.items() for old, new in names.items()])
def test_every_old_option_is_answered_by_the_new_one(key: str, old: str, new: str):
    group = {"source": "data"}.get(key, key)
    options = {path.stem for path in (conf_folder() / group).glob("*.yaml")} or SETS
    assert key in PRESENT and new in options and old not in options
    for before, after in (("{}", "{}"), ("'{}'", "'{}'"), ("held_out,{}", "held_out,{}"), ("choice({},all)", "choice({},all)")):
        with pytest.raises(SettingsError) as refused:
            require_new_names([f"{key}={before.format(old)}"])
        assert str(refused.value) == f"{key}={before.format(old)}: renamed; write {key}={after.format(new)}"


@pytest.mark.parametrize("word", ["seed=1", "-m", "--cfg", "job", "worlds", "scenarios=exam.jsonl", "scenarios=my/exam", "~lora"])
def test_any_other_word_stays_as_it_is(word: str):
    require_new_names([word])
    assert upgraded_word(word) == word


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("train", "eval.stones=false"), "sekft.train: eval.stones: renamed; write eval.baselines=false\n"),
        (("eval", "-m", "scenarios=exam,held_out"), "sekft.eval: scenarios=exam,held_out: renamed; write scenarios=test,held_out\n"),
        (("collect", "operator=endpoint", "operator.model=x"), "sekft.collect: operator: renamed; write agent=endpoint\n"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_answers_an_old_name_at_once_and_leaves_nothing(words: tuple[str, ...], line: str, tmp_path: Path):
    begun = time.monotonic()
    done = run_command(*words, cwd=tmp_path, fresh=True)
    assert (done.returncode, done.stderr) == (1, line) and not list(tmp_path.iterdir())
    assert time.monotonic() - begun < 8  # about 1 s on a quiet machine


def test_an_old_name_in_a_recipe_of_ones_own_is_answered_too(tmp_path: Path):
    recipe = tmp_path / "own" / "experiment" / "mine.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text("# @package _global_\neval:\n  stones: false\n")
    done = run_command("train", "--config-dir", "own", "experiment=mine", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "sekft.train: eval.stones: renamed; write eval.baselines\n")
    recipe.write_text("# @package _global_\nscenarios: exam\n")
    done = run_command("train", "--config-dir", "own", "experiment=mine", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "sekft.train: scenarios=exam: renamed; write scenarios=test\n")


def test_a_record_of_the_first_edition_is_read_under_the_present_names(tmp_path: Path):
    settings = {
        "scenarios": "exam",
        "eval": {"episodes": 8, "stones": False, "choosing_worlds": 4, "max_life_tokens": 99, "max_exam_s": 7.0, "remember": False},
        "sandbox": {"life_s": 60},
        "split": {"name": "archetype", "train_bundles": 30, "exam_bundles": 5},
        "repair": {"worlds": 2},
        "where": {"train": "local", "exam": "local"},
        "model": {"name": "tiny", "path": "sekft:tiny"},
        "lora": {"name": "r4", "r": 4, "alpha": 8},
        "mask": {"rule": "assistant"},
        "tracker": {"kind": "none"},
    }
    record = {"schema_version": 1, "verb": "train", "status": "done", "settings": settings, "seeds": {"run": 0, "worlds": 3}}
    record |= {"overrides": ["eval.stones=false", "scenarios=exam", "lora=r4"], "exam": {"scenarios": "exam", "worlds": 8}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    rates = {"by": {"kind=new world of a training archetype": {"verified": 1}}}
    summary = {"verb": "train", "base": rates, "tuned": rates, "players": {"exit": rates}, "worlds": {"n": 8}, "seconds": {"exam": 1.5}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))

    run = records.read(tmp_path)
    assert isinstance(run, records.FinishedRun)
    assert run.record.command == "train" and run.record.overrides == ("eval.baselines=false", "scenarios=test", "lora=r4")
    assert run.record.facts["evaluation"] == {"scenarios": "exam", "n": 8} and run.record.facts["seeds"] == {"run": 0, "scenarios": 3}
    assert run.summary["scenarios"] == {"n": 8} and run.summary["seconds"] == {"eval": 1.5}
    assert [*run.summary["agents"]["exit"]["by"]] == ["kind=new scenario of a training archetype"]
    typed = recorded_settings(tmp_path, TrainConfig)
    assert (typed.scenarios, typed.eval.baselines, typed.eval.selection_scenarios, typed.eval.cache) == ("test", False, 4, False)
    assert (typed.sandbox.session_s, typed.split.train_scenarios, typed.split.eval_scenarios, typed.repair.scenarios) == (60, 30, 5, 2)

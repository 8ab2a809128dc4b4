"""Locations of training and evaluation: a combination that is not allowed is one line, before anything starts."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from sekft.cli.settings import conf_folder, settings
from sekft.config import commands
from sekft.errors import SettingsError
from sekft.where import allowed, remote


@pytest.fixture
def made() -> Iterator[Callable[..., Any]]:
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield lambda command, *words: settings(compose(command, [*words]), commands.COMMANDS[command])


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("train", ["where.eval=slurm"], "where.eval=slurm: allowed with where.train=local: local; or eval=none"),
        ("train", ["where=torchrun", "where.eval=torchrun"], "where.eval=torchrun: allowed with where.train=torchrun: local"),
        ("train", ["where=hf_job", "where.eval=local"], "where.eval=local: allowed with where.train=hf_job: hf_job"),
        ("train", ["where=hf_job"], "where.options.image: none"),
        ("train", ["where=hf_job", "where.options.image=me/sekft"], "sandbox=auto: a job at Hugging Face has no container engine"),
        ("train", ["where=hf_job", "where.options.image=me/sekft", "eval=none"], "has no container engine"),  # its episodes must be played
        ("train", ["where=resident"], "where=resident: no socket given"),
        ("train", ["where=torchrun", "resident=/tmp/hot"], "where=torchrun: allowed with resident=/tmp/hot: resident"),
        ("train", ["where.processes=2"], "where.processes=2: allowed with where.train=local: 1"),
        ("train", ["where=torchrun", "eval.every_steps=5"], "eval.every_steps=5: allowed with where.train=torchrun"),
        ("eval", ["where=torchrun"], "where.train=torchrun: sekft.eval trains nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_combination_that_is_not_allowed_is_refused_in_one_line(made: Callable[..., Any], command: str, words: list[str], message: str):
    with pytest.raises(SettingsError) as refused:
        remote.require(command, made(command, *words), False)
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train", []),
        ("train", ["where=torchrun", "where.processes=4"]),
        ("train", ["where.eval=slurm", "eval=none"]),
        ("train", ["where=hf_job", "where.options.image=me/sekft", "sandbox=bwrap"]),
        ("train", ["where=resident", "resident=/tmp/hot"]),
        ("eval", ["where=hf_job", "where.options.image=me/sekft", "sandbox=bwrap"]),
    ],
    ids=str,
)
def test_an_allowed_combination_passes(made: Callable[..., Any], command: str, words: list[str]):
    remote.require(command, made(command, *words), False)


def test_local_files_need_a_volume_at_hugging_face(made: Callable[..., Any], tmp_path: Path):
    (tmp_path / "mine.jsonl").write_text("{}\n")
    words = ("where=hf_job", "where.options.image=me/sekft", "eval=none", f"data.sources.shell.path={tmp_path}/mine.jsonl")
    with pytest.raises(SettingsError, match="mine.jsonl: lies on this machine"):
        remote.require("train", made("train", *words), False)
    remote.require("train", made("train", *words, "where.options.volumes=[{type: bucket, source: me/x, mount_path: /x}]"), False)


def test_a_sweep_waits_for_its_jobs(made: Callable[..., Any]):
    words = ("where=hf_job", "where.options.image=me/sekft", "sandbox=bwrap", "where.wait=false")
    with pytest.raises(SettingsError, match="where.wait=false: allowed in a sweep: true"):
        remote.require("eval", made("eval", *words), True)


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_a_missing_package_is_named_with_the_command_that_installs_it(made: Callable[..., Any]):
    with pytest.raises(SettingsError, match=r"where=ray: the package ray is not installed; pip install 'sekft\[remote\]'"):
        remote.require("train", made("train", "where=ray"), False)


def test_remote_runs_are_only_planned_without_live(made: Callable[..., Any]):
    starts = ("where=local", "where=torchrun", "dry_run=true", "where=slurm", "where=slurm live=true", "where=slurm live=true dry_run=true")
    assert [allowed.only_planned("train", made("train", *words.split())) for words in starts] == [False, False, True, True, False, True]

"""The README tells the truth: its commands parse, its tree is the project's."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from sekft.cli.flags import to_overrides
from sekft.cli.settings import conf_folder, settings
from sekft.config import commands

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.S)
LINES = [shlex.split(line, comments=True) for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.strip()]
COMMAND_LINES = [words for words in LINES if words[:2] == ["python", "-m"]]


@pytest.fixture
def hydra_here() -> Iterator[None]:
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield


@pytest.mark.parametrize("words", COMMAND_LINES, ids=" ".join)
def test_every_command_composes(words: list[str], hydra_here: None):
    command = words[2].removeprefix("sekft.")
    overrides = to_overrides(command, words[3:])
    if "-m" in overrides:  # one job of the sweep
        overrides = [re.sub(r"=([^\[,]*),.*", r"=\1", word) for word in overrides if word != "-m"]
    settings(compose(command, overrides), commands.COMMANDS[command])


def test_every_make_target_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = [words[1] for words in LINES if words[0] == "make"]
    assert targets and all(re.search(rf"^{target}:", makefile, re.M) for target in targets)


def test_every_script_named_exists():
    scripts = [words[1] for words in LINES if words[0] == "python" and words[1].endswith(".py")]
    assert scripts and all((ROOT / script).exists() for script in scripts)


def tree() -> list[str]:
    block = next(block for kind, block in BLOCKS if block.startswith("sekft/\n"))
    paths, folder = [], ""
    for line in block.splitlines():
        name = line.split()[0]
        folder = name if not line.startswith(" ") else folder
        paths.append(name if not line.startswith(" ") else folder + name)
    return paths


def test_the_tree_is_the_projects():
    named = tree()
    assert all((ROOT / path).exists() for path in named if path != "outputs/"), named
    inside = {path.name + "/" * path.is_dir() for path in (ROOT / "sekft").iterdir() if not path.name.startswith("__pycache__")}
    assert {path.removeprefix("sekft/") for path in named if path.startswith("sekft/") and path != "sekft/"} == inside - {"__init__.py"}


def test_every_symptom_names_real_keys(hydra_here: None):
    cfg = compose("train")
    section = README.split("## Symptom -> key")[1].split("\n## ")[0]
    keys = set(re.findall(r"`([a-z_]+\.[a-z_0-9.]+)[=`]", section))
    for key in keys:
        node = cfg
        for part in key.split("."):
            assert part in node, key
            node = node[part]
    assert len(keys) > 5

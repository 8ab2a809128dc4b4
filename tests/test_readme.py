"""README and docs hold true: commands parse, links lead somewhere, the map is complete, named settings exist."""

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
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "experiments" / "README.md", ROOT / "CONTRIBUTING.md"]
MAX_LINES = 130


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return re.findall(r"```(\w*)\n(.*?)```", page.read_text(), re.S)


def lines(page: Path) -> list[list[str]]:
    """The words of every line of a shell block."""
    shell = [block for kind, block in blocks(page) if kind == "sh"]
    return [shlex.split(line, comments=True) for block in shell for line in block.replace("\\\n", " ").splitlines() if line.strip()]


LINES = [words for page in PAGES for words in lines(page)]
COMMAND_LINES = [words for words in LINES if words[:2] == ["python", "-m"] and words[2].startswith("sekft.")]


@pytest.fixture
def hydra_here() -> Iterator[None]:
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield


@pytest.mark.parametrize("words", COMMAND_LINES, ids=" ".join)
def test_every_command_line_composes(words: list[str], hydra_here: None):
    command = words[2].removeprefix("sekft.")
    overrides = to_overrides(command, words[3:])
    if "-m" in overrides:  # one job of the sweep
        overrides = [re.sub(r"=([^\[,]*),.*", r"=\1", word) for word in overrides if word != "-m"]
    settings(compose(command, overrides), commands.COMMANDS[command])


def test_every_make_target_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = [words[1] for words in lines(README) if words[0] == "make"]
    assert targets and all(re.search(rf"^{target}:", makefile, re.M) for target in targets)


def test_every_script_named_exists():
    scripts = [words[1] for words in LINES if words[0] == "python" and words[1].endswith(".py")]
    assert scripts and all((ROOT / script).exists() for script in scripts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path):
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_page_of_docs_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []


def test_every_recipe_is_in_the_index():
    index = (ROOT / "experiments" / "README.md").read_text()
    assert [page.stem for page in (ROOT / "experiments").glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []


def test_the_readme_fits_its_length():
    assert len(README.read_text().splitlines()) <= MAX_LINES


def tree() -> list[str]:
    block = next(block for _, block in blocks(README) if block.startswith("sekft/\n"))
    paths, folder = [], ""
    for line in block.splitlines():
        name = line.split()[0]
        folder = name if not line.startswith(" ") else folder
        paths.append(name if not line.startswith(" ") else folder + name)
    return paths


def test_the_map_is_complete():
    named = tree()
    assert all((ROOT / path).exists() for path in named), named
    inside = {path.name + "/" * path.is_dir() for path in (ROOT / "sekft").iterdir() if not path.name.startswith("__pycache__")}
    assert {path.removeprefix("sekft/") for path in named if path.startswith("sekft/") and path != "sekft/"} == inside - {"__init__.py"}


def test_the_python_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    (example,) = [block for kind, block in blocks(README) if kind == "python"]
    exec(compile(example, str(README), "exec"), names)
    assert names["result"].rates["leave"]["terminated"].k == 4 and names["result"].rates["leave"]["verified"].k == 0


def test_every_symptom_names_real_keys(hydra_here: None):
    cfg = {**compose("eval"), **compose("train")}
    keys = set(re.findall(r"`([a-z_]+\.[a-z_0-9.]+)[=`]", (ROOT / "docs" / "symptoms.md").read_text()))
    for key in {key for key in keys if not key.endswith(".log")} - {"sekft.preview"}:
        node = cfg
        for part in key.split("."):
            assert part in node, key
            node = node[part]
    assert len(keys) > 5

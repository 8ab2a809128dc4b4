"""A setting that holds a secret is refused in one line that does not show it, and the secret is nowhere on the disk."""

from pathlib import Path

import pytest

from sekft.cli.flags import require_no_secret
from sekft.config.commands import COMMANDS
from sekft.errors import SettingsError
from sekft.tracking import secrets
from tests.conftest import run_command

NAMED, FORMED, URL = "correct horse", "hf_" + "aB3" * 12, "https://ada:sw0rdfish99@x.org/v1"
SETTINGS = {
    "agent": {"url": URL, "key_env": "OPENAI_API_KEY", "extra": {"api_key": NAMED, "notes": ["none", FORMED], "password": None}},
    "trainer": {"max_tokens": 9},
}


def shown(folder: Path) -> list[str]:
    bare = (NAMED, FORMED, "sw0rdfish99")
    return [f"{file}: {secret}" for file in folder.rglob("*") if file.is_file() for secret in bare if secret.encode() in file.read_bytes()]


def test_a_secret_is_found_by_its_key_or_by_its_form():
    assert sorted(secrets.found_in(SETTINGS)) == ["agent.extra.api_key", "agent.extra.notes", "agent.url"]
    with pytest.raises(
        SettingsError, match=r"^agent\.extra\.api_key: holds a secret; allowed: the name of an environment variable"
    ) as refused:
        secrets.require_none(SETTINGS)
    assert NAMED not in str(refused.value)


def test_no_default_of_a_command_is_taken_for_a_secret():
    from omegaconf import OmegaConf

    for node in COMMANDS.values():
        secrets.require_none(OmegaConf.to_container(OmegaConf.structured(node), enum_to_str=True))


@pytest.mark.parametrize(
    ("word", "key"),
    [
        (f"+agent.extra.api_key='{NAMED}'", "agent.extra.api_key"),
        (f"agent.url={URL}", "agent.url"),
        (f"agent.model={FORMED}", "agent.model"),
        ("serve.token=short", "serve.token"),
    ],
)
def test_an_override_with_a_secret_is_refused_before_anything_is_written(word: str, key: str, tmp_path: Path):
    with pytest.raises(SettingsError, match=rf"^{key}: holds a secret; "):
        require_no_secret(["lora=r4", "--cfg", word])
    done = run_command("collect", word, "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith(f"sekft.collect: {key}: holds a secret; ") and done.stderr.count("\n") == 1
    assert word.partition("=")[2] not in done.stderr and list(tmp_path.iterdir()) == []


def test_a_word_that_holds_no_secret_is_taken():
    require_no_secret(["lora=r4", "serve.token_env=MY_TOKEN", "agent.key_env=OPENAI_API_KEY", "agent.extra.api_key=null", "-m"])


@pytest.mark.parametrize("more", [(), ("seed=1,2", "-m")])
def test_a_secret_in_a_recipe_is_refused_and_no_copy_of_it_is_left(more: tuple[str, ...], tmp_path: Path):
    recipe = tmp_path / "own" / "agent" / "mine.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(f"kind: endpoint\nurl: {URL}\nextra: {{api_key: {NAMED}}}\n")
    words = ("--config-dir", "own", "agent=mine", "hydra.run.dir=run", "hydra.sweep.dir=run", *more)
    done = run_command("eval", *words, cwd=tmp_path)
    assert done.returncode == 1 and "agent.extra.api_key: holds a secret; " in done.stderr and "Traceback" not in done.stderr
    assert shown(tmp_path / "run") == [] and NAMED not in done.stderr + done.stdout and (tmp_path / "run").exists()

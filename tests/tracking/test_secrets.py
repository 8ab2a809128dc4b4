"""Secrets of settings are nowhere on the disk, whatever they are called and however they came in."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekft.cli.flags import hidden
from sekft.config import Tracker, TrackerConfig
from sekft.tracking import secrets
from sekft.tracking.record import one_line, open_run
from sekft.tracking.wandb_mirror import mirror
from tests.conftest import run_command

NAMED, FORMED, URL = "correct horse", "hf_" + "aB3" * 12, "https://ada:sw0rdfish99@x.org/v1"
SETTINGS = {
    "agent": {"url": URL, "key_env": "OPENAI_API_KEY", "extra": {"api_key": NAMED, "note": FORMED}},
    "trainer": {"max_tokens": 9},
}
BARE = (NAMED, FORMED, "sw0rdfish99")


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    secrets.known.clear()
    yield
    secrets.known.clear()


def shown(folder: Path) -> list[str]:
    return [f"{file}: {secret}" for file in folder.rglob("*") if file.is_file() for secret in BARE if secret.encode() in file.read_bytes()]


def test_the_record_of_a_run_shows_where_a_secret_was_and_not_which(tmp_path: Path):
    words = [f"+agent.extra.api_key={NAMED}", f"agent.url={URL}", "seed=1"]
    with pytest.raises(OSError), open_run(tmp_path, "collect", SETTINGS, words, 1):
        raise OSError(f"{NAMED} was not accepted")
    told = json.loads((tmp_path / "run.json").read_text())
    assert shown(tmp_path) == [] and told["error"] == "OSError: [redacted] was not accepted"
    assert told["settings"]["agent"]["key_env"] == "OPENAI_API_KEY" and told["settings"]["trainer"] == {"max_tokens": 9}
    assert told["settings"]["agent"]["url"] == "https://ada:[basic auth credentials redacted]@x.org/v1"
    assert told["overrides"][0] == "+agent.extra.api_key=[redacted]" and told["overrides"][2] == "seed=1"


def test_what_is_typed_reaches_the_settings_and_not_what_hydra_writes(monkeypatch: pytest.MonkeyPatch):
    words = ["lora=r4", "--cfg", f"agent.extra.api_key='{NAMED}'", f"agent.url={URL}", "serve.token=null", "model.token=${oc.env:T}"]
    names = [f"SEKFT_SECRET_{number}" for number in (2, 3)]
    for name in names:
        monkeypatch.setenv(name, "")
    assert hidden(words) == [
        *words[:2],
        "agent.extra.api_key=${oc.env:SEKFT_SECRET_2}",
        "agent.url=${oc.env:SEKFT_SECRET_3}",
        *words[4:],
    ]
    assert [os.environ[name] for name in names] == [NAMED, URL]
    assert (
        one_line(ValueError(f"no answer from {URL}")) == "ValueError: no answer from https://ada:[basic auth credentials redacted]@x.org/v1"
    )


def test_a_key_typed_where_there_is_none_is_refused_and_written_nowhere(tmp_path: Path):
    done = run_command("train", "+agent.token=correct-horse", "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 1 and "unknown key agent" in done.stderr and "correct-horse" not in done.stderr
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert tmp_path / "run" / ".hydra" / "overrides.yaml" in files
    assert not [file for file in files if "correct-horse" in file.read_text()]


def test_a_secret_in_a_recipe_is_taken_out_of_what_hydra_has_written(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(f"agent:\n  url: {URL}\n  key_env: NAME\n  extra:\n    api_key: {NAMED}\n    note: {FORMED}\nserve:\n  token: null\n")
    secrets.clean_yaml(file)
    assert file.read_text() == (
        "agent:\n  url: https://ada:[basic auth credentials redacted]@x.org/v1\n  key_env: NAME\n"
        "  extra:\n    api_key: [redacted]\n    note: [api key redacted]\nserve:\n  token: null\n"
    )


def test_wandb_is_told_no_secret(tmp_path: Path):
    tracker = TrackerConfig(kind=Tracker.wandb, folder=str(tmp_path / "wandb"))
    with mirror(tracker, settings=SETTINGS, name="n", group=None, job_type="collect", tags=(), folder=tmp_path):
        pass
    assert list((tmp_path / "wandb").glob("offline-run-*")) and shown(tmp_path) == []

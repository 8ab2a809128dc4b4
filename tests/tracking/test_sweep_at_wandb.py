"""Two jobs of a sweep on their way to W&B, at once and later: what a dashboard needs to tell them apart is sent, and all of the adapter.

A server of our own answers: this proves what leaves the machine, and nothing about W&B's dashboard.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_command

from .job import KEY
from .loopback import loopback

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sweep at W&B")]
STEPS = ["trainer.max_steps=2", "trainer.batch=2", "split.train_scenarios=16", "rehearsal=false"]
TEST = ["eval.episodes=2", "eval.max_turns=2", "eval.baselines=false", "sandbox=bwrap"]
LINE = ["-m", "lora=r4,r8", *STEPS, *TEST, "hydra.sweep.dir=sweep"]
Heard = list[tuple[str, Any]]


@pytest.fixture(scope="module", params=["at once", pytest.param("later", marks=pytest.mark.exhaustive)])
def sent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Heard]:
    """The folder of the sweep's start, and what W&B's client sent of it."""
    folder = tmp_path_factory.mktemp("sent")
    with loopback() as (url, heard):
        there = {"WANDB_BASE_URL": url, "WANDB_API_KEY": KEY}
        done = run_command("train", *LINE, cwd=folder, **there, WANDB_MODE="online" if request.param == "at once" else "offline")
        assert done.returncode == 0, done.stderr
        if request.param == "later":
            assert not heard
            for run in sorted((folder / "outputs" / "wandb").glob("offline-run-*")):
                wandb = [Path(sys.executable).with_name("wandb"), "sync", run]
                synced = subprocess.run(wandb, env=os.environ | there, capture_output=True, text=True, timeout=120)
                assert synced.returncode == 0, synced.stderr
    return folder, heard


def runs(heard: Heard) -> dict[str, dict[str, Any]]:
    """By name: what was said first, its config, its last summary."""
    found: dict[str, dict[str, Any]] = {}
    for operation, asked in heard:
        if operation == "UpsertBucket" and asked["displayName"]:
            config = {key: one["value"] for key, one in json.loads(asked["config"]).items() if key != "_wandb"}
            found.setdefault(asked["displayName"], asked | {"config": config, "summary": {}})
    for name, run in found.items():
        for operation, body in heard:
            if operation.endswith(f"/{run['name']}/file_stream"):
                for line in json.loads(body).get("files", {}).get("wandb-summary.json", {}).get("content", []):
                    found[name]["summary"] |= json.loads(line)
    return found


def test_the_jobs_are_one_group_with_settings_and_rates_of_their_own(sent: tuple[Path, Heard]):
    shown = runs(sent[1])
    assert sorted(shown) == ["sweep/0", "sweep/1"]
    assert {run["groupName"] for run in shown.values()} == {"sweep"} and {run["jobType"] for run in shown.values()} == {"train"}
    assert [shown[name]["config"]["lora"]["r"] for name in sorted(shown)] == [4, 8]
    for name, run in shown.items():
        rate = json.loads((sent[0] / name / "summary.json").read_text())["tuned"]["rates"]["verified"]["rate"]
        assert run["summary"]["eval/verified"] == rate
        assert {"lora=r4", "lora=r8"} & set(run["tags"]) == {f"lora=r{run['config']['lora']['r']}"}


def test_all_of_both_adapters_is_stored(sent: tuple[Path, Heard]):
    folder, heard = sent
    for name, run in runs(heard).items():
        there = {path.rpartition("/")[2]: body for path, body in heard if path.startswith(f"/put/adapter-{run['name']}/")}
        here = {file.name: file.read_bytes() for file in (folder / name / "adapter").iterdir()}
        manifest = json.loads(there.pop("wandb_manifest.json"))
        assert there == here and set(manifest["contents"]) == set(here)
        assert ("CommitArtifact", {"artifactID": f"adapter-{run['name']}"}) in heard

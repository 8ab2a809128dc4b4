"""Fixtures of the collect tests: scenarios of the default split, and a collection in this process in a real sandbox."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from sekft import config
from sekft.cli.settings import conf_folder, settings
from sekft.collect import command as collect
from sekft.config import commands
from sekft.config.job import Job
from sekft.episode import trajectory
from sekft.episode.trajectory import Trajectory
from sekft.scenario.document import Scenario
from sekft.scenario.split import load

Collect = Callable[..., tuple[dict[str, Any], list[Trajectory]]]


def scenarios(count: int) -> list[Scenario]:
    """The first training scenarios of the default split."""
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        split = settings(compose("collect"), config.CollectConfig).split
    return load("train", split, amount=count)


@pytest.fixture(params=["bwrap", pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.exhaustive])])
def sandbox(request: pytest.FixtureRequest) -> str:
    return f"sandbox={request.param}"


@pytest.fixture
def gather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collect:
    """gather(*overrides, folder="run") -> (summary, episodes)."""
    monkeypatch.chdir(tmp_path)
    commands.register()

    def run(*overrides: str, folder: str = "run") -> tuple[dict[str, Any], list[Trajectory]]:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            composed = settings(compose("collect", list(overrides)), config.CollectConfig)
        collect.run(composed, Job(tmp_path / folder, folder, folder, overrides, ()))
        summary = json.loads((tmp_path / folder / "summary.json").read_text())
        return summary, list(trajectory.read(tmp_path / folder / "trajectories.jsonl"))

    return run

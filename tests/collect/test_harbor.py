"""Exported tasks have the layout Harbor documents (task format 1.4); their solution passes their test, and nothing else does."""

import os
import tarfile
import tomllib
from pathlib import Path

import pytest

from sekft.collect import harbor
from sekft.config import BackendKind, SandboxConfig
from sekft.episode import setup
from sekft.sandbox import choose
from sekft.sandbox.session import File
from sekft.scenario.document import Scenario
from tests.collect.conftest import Collect, scenarios

SCENARIOS = [scenarios(4)[0], scenarios(4)[1], next(scenario for scenario in scenarios(8) if scenario.terminal == "panic")]
SECTIONS = {  # what Harbor reads, as far as it is written here: section -> key -> type
    "task": {"name": str, "description": str, "keywords": list},
    "verifier": {"timeout_sec": float, "user": str},
    "agent": {"timeout_sec": float, "user": str},
    "environment": {"network_mode": str, "build_timeout_sec": float, "cpus": int, "memory_mb": int, "storage_mb": int, "workdir": str},
}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harbor")
    harbor.write(SCENARIOS, folder)
    return folder


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_a_task_folder_has_the_documented_layout(tasks: Path, scenario: Scenario):
    task = tasks / scenario.id
    for name in ("instruction.md", "environment/Dockerfile", "tests/test.sh", "solution/solve.sh"):
        assert (task / name).read_text().strip(), name
    assert all(os.access(task / name, os.X_OK) for name in ("tests/test.sh", "solution/solve.sh"))
    config = tomllib.loads((task / "task.toml").read_text())
    assert config.pop("schema_version") == "1.4" and config.pop("metadata")["archetype"] == scenario.archetype
    assert {section: {key: type(value) for key, value in keys.items()} for section, keys in config.items()} == SECTIONS
    assert config["task"]["name"] == f"sekft/{scenario.id}" and "/logs/verifier/reward.txt" in (task / "tests/test.sh").read_text()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_neither_the_instruction_nor_the_image_gives_the_answer_away(tasks: Path, scenario: Scenario):
    instruction = (tasks / scenario.id / "instruction.md").read_text()
    assert not any(sentence in instruction for sentence in scenario.directives)
    with (
        tarfile.open(tasks / scenario.id / "environment" / "root.tar") as root,
        tarfile.open(tasks / scenario.id / "environment" / "agent.tar") as agent,
    ):
        names = {member.name for member in (*root.getmembers(), *agent.getmembers())}
    assert f"usr/local/bin/{scenario.provider.name}" in names and not any("checker" in name or "solve" in name for name in names)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_solution_passes_the_checker_and_doing_nothing_does_not(tasks: Path, scenario: Scenario):
    backend = choose.backend(SandboxConfig(backend=BackendKind.bwrap))
    solution = File("/home/agent/.solve.sh", (tasks / scenario.id / "solution" / "solve.sh").read_text(), 0o755)
    checker = (tasks / scenario.id / "tests" / "checker.sh").read_text()
    statuses = []
    for typed in ("sh .solve.sh", "true"):
        with backend.open(setup.environment(scenario)) as session:
            session.put([*setup.files(scenario), solution])
            session.run(typed, 10)
            statuses.append(session.check(checker, 20).status)
    assert statuses[0] == 0 and statuses[1] not in (0, None)


def test_a_collection_exports_the_scenarios_that_were_solved(gather: Collect, tmp_path: Path):
    summary, episodes = gather("episodes=3", "sandbox=bwrap", "export=[harbor]")
    assert sorted(path.name for path in (tmp_path / "run" / "harbor").iterdir()) == sorted(episode.scenario_id for episode in episodes)
    assert "harbor/" in (tmp_path / "run" / "SHA256SUMS").read_text()
    none, _ = gather("episodes=3", "sandbox=bwrap", "export=[harbor]", "agent=scripted", folder="none")
    assert none["exports"]["harbor"].startswith("0 tasks")

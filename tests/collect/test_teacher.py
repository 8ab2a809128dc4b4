"""A teacher over real HTTP plays scenarios: its episodes are recorded without the scaffold, failures are counted by reason."""

import subprocess
from pathlib import Path

import pytest

from sekft.episode import trajectory
from sekft.episode.setup import arrival
from sekft.errors import EndpointError, SettingsError
from sekft.scenario.document import Scenario, write
from tests.collect.conftest import Collect, scenarios
from tests.collect.stub_server import Answer, completion, refusing, serving
from tests.conftest import changed, run_command
from tests.process import Command, start

TEACHER = ("agent=endpoint", "agent.model=teacher", "agent.timeout_s=1", "agent.retries=1", "sandbox=bwrap")


def shown_at_once(count: int) -> list[Scenario]:
    """Solvable scenarios with their provider in the announcement; the server recognises the scenario of a request by it."""
    fitting = [scenario for scenario in scenarios(200) if scenario.terminal == "exit" and scenario.provider.name in arrival(scenario)]
    return list({scenario.provider.name: scenario for scenario in fitting}.values())[:count]


def turn(request: dict) -> int:
    return sum(message["role"] == "assistant" for message in request["messages"])


def test_failures_are_counted_by_reason_and_do_not_end_the_series(gather: Collect, tmp_path: Path):
    shown = shown_at_once(6)
    write(shown, tmp_path / "scenarios")
    good, fenced, silent, down, slow, lying = shown

    def answer(request: dict) -> Answer:
        greeting = request["messages"][1]["content"] if len(request["messages"]) > 1 else ""
        asking = next((scenario for scenario in shown if scenario.provider.name in greeting), None)
        if asking is None or asking is good:  # None: the question of require_answer
            return completion(asking.reference[turn(request)] if asking else "ls")
        if asking is fenced:
            return completion("```sh\nls\n```" if turn(request) == 0 else "exit")
        return {silent.id: completion(None), down.id: refusing(500), slow.id: Answer(after_s=30), lying.id: Answer(b'{"text": "ls"}')}[
            asking.id
        ]

    with serving(answer) as (url, requests):
        summary, episodes = gather(*TEACHER, f"agent.url={url}", "scenarios=scenarios", "workers=6")
    by_scenario = {episode.scenario_id: episode for episode in episodes}
    assert summary["rejects"] == {
        "prose": 1,
        "silent": 1,
        "broken: endpoint failed": 1,
        "broken: endpoint timeout": 1,
        "broken: endpoint unreadable": 1,
    }
    assert summary["kept"] == 1 and by_scenario[good.id].kept
    assert [message.role for message in by_scenario[good.id].messages[:2]] == ["user", "assistant"]
    text = (tmp_path / "run" / "trajectories.jsonl").read_text()
    assert "POSIX shell" in requests[-1]["messages"][0]["content"] and "POSIX shell" not in text and url not in text


def test_only_episodes_that_the_endpoint_failed_are_played_again(tmp_path: Path):
    shown = shown_at_once(3)
    write(shown, tmp_path / "scenarios")
    failing, finished, last = sorted(shown, key=lambda scenario: scenario.id)
    process: list[subprocess.Popen | Command] = []
    asking: list[str] = []

    def answer(request: dict) -> Answer:
        if len(request["messages"]) == 1:
            return completion("ls")
        now = next(scenario for scenario in shown if scenario.provider.name in request["messages"][1]["content"])
        asking.append(now.id)
        if now is last and process:
            process.pop().kill()
        return refusing(400) if now is failing and process else completion(now.reference[turn(request)])

    with serving(answer) as (url, _):
        words = [*changed(TEACHER, "agent.timeout_s=30"), f"agent.url={url}", "scenarios=scenarios", "workers=1", "hydra.run.dir=run"]
        process.append(killed := start("sekft.collect", *words, cwd=tmp_path, stdout=subprocess.DEVNULL))
        assert killed.wait(120) == -9
        assert asking[0] == failing.id and asking[-1] == last.id
        asking.clear()
        assert run_command("collect", *words, cwd=tmp_path, timeout=120).returncode == 0
    episodes = list(trajectory.read(tmp_path / "run" / "trajectories.jsonl"))
    assert [(episode.scenario_id, episode.kept) for episode in episodes] == [(scenario.id, True) for scenario in (failing, finished, last)]
    assert set(asking) == {failing.id, last.id}


def test_an_endpoint_that_fails_at_the_start_is_refused_before_any_episode(gather: Collect, tmp_path: Path):
    with serving(lambda request: refusing(503)) as (url, _), pytest.raises(EndpointError, match="overloaded: http 503"):
        gather(*TEACHER, f"agent.url={url}", "episodes=4")
    assert not (tmp_path / "run" / "trajectories.jsonl").exists()
    with pytest.raises(SettingsError, match=r"agent\.model: empty"):
        gather("agent=endpoint", "sandbox=bwrap")


def test_a_scaffold_is_a_text_or_a_file_and_a_missing_file_is_refused(gather: Collect, tmp_path: Path):
    (tmp_path / "scaffold.txt").write_text("Only one line.\n")
    with serving(lambda request: completion("exit")) as (url, requests):
        gather(*TEACHER, f"agent.url={url}", "episodes=1", "agent.scaffold=scaffold.txt")
        assert requests[-1]["messages"][0] == {"role": "system", "content": "Only one line."}
        with pytest.raises(SettingsError, match=r"nowhere\.txt: No such file"):
            gather(*TEACHER, f"agent.url={url}", "episodes=1", "agent.scaffold=nowhere.txt")

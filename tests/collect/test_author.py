"""A teacher over real HTTP writes good and hostile scenarios: the gate counts them by reason, and nothing runs on the host."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from sekft.collect import author
from sekft.collect.author import Draft
from sekft.config.endpoint import EndpointConfig
from sekft.episode.endpoint import Client
from sekft.errors import SandboxError, ScenarioError, SettingsError
from sekft.scenario.document import Scenario, dumps, read_all
from tests.collect.conftest import Collect, scenarios
from tests.collect.stub_server import Answer, completion, refusing, serving

AUTHOR = ("author=endpoint", "agent.model=teacher", "agent.retries=0", "author.timeout_s=2")
MARK = Path(f"/tmp/sekft-escaped-{uuid.uuid4().hex}")
BOMB = "bomb() { bomb | bomb & }; bomb; sleep 1; exit 1"


def changed(scenario: Scenario, **changes: Any) -> str:
    return json.dumps({**json.loads(dumps(scenario)), **changes})


def fixture(**fields: Any) -> list[dict[str, Any]]:
    return [{"kind": "file", "content": "x", "mode": 420, "owner": "agent", **fields}]


def answers(wanted: list[Scenario]) -> list[tuple[str, Answer]]:
    """(expected reason of refusal, the teacher's answer), one per scenario."""
    wide = [f"touch {MARK}; echo x > {MARK}", "cat /etc/shadow", "kill -9 -1", "exit"]
    texts = [
        ("", lambda scenario: "Here is a scenario:\n```json\n" + dumps(scenario) + "```\nEnjoy!"),
        ("", dumps),
        ("unparsable", lambda scenario: "I am sorry, I cannot write that."),
        ("unparsable", lambda scenario: '{"id": ' * 5000 + "}"),
        ("invalid", lambda scenario: "{}"),
        ("invalid", lambda scenario: changed(scenario, fixtures=fixture(path="/home/agent/../../etc/passwd"))),
        ("invalid", lambda scenario: changed(scenario, fixtures=fixture(path="../../etc/passwd"))),
        ("invalid", lambda scenario: changed(scenario, fixtures=fixture(path="/home/agent/link", kind="symlink", content="/etc/shadow"))),
        ("invalid", lambda scenario: changed(scenario, fixtures=fixture(path="/home/agent/big", content="x" * 2_000_000))),
        ("unsolvable", lambda scenario: changed(scenario, reference=["ls", str(scenario.terminal)])),
        ("unsolvable", lambda scenario: changed(scenario, checker=BOMB)),
        ("unsolvable", lambda scenario: changed(scenario, checker=f"touch {MARK}; echo x > {MARK}; exit 1")),
        (
            "unsolvable",
            lambda scenario: changed(scenario, reference=wide, terminal="exit") if scenario.terminal == "exit" else changed(scenario),
        ),
        ("forgeable", lambda scenario: changed(scenario, checker="true")),
    ]
    completions = [(verdict, completion(text(scenario))) for (verdict, text), scenario in zip(texts, wanted, strict=False)]
    return [*completions, ("no_answer", Answer(endless=True)), ("no_answer", refusing(500)), ("no_answer", Answer(after_s=30))]


def test_every_answer_is_counted_by_its_verdict(gather: Collect, sandbox: str, tmp_path: Path):
    planned = answers(wanted := scenarios(17))

    def answer(request: dict) -> Answer:
        return planned[request["seed"]][1] if len(request["messages"]) > 1 else completion("ready")

    with serving(answer) as (url, requests):
        summary, episodes = gather(*AUTHOR, f"agent.url={url}", f"episodes={len(planned)}", sandbox)
    verdicts = [verdict for verdict, _ in planned]
    assert summary["refused"] == {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts) - {""})}
    assert not MARK.exists()

    admitted = read_all(tmp_path / "run" / "scenarios")
    assert [scenario.id for scenario in admitted] == ["authored-s0-0000", "authored-s0-0001"]
    assert [(episode.scenario_id, episode.kept) for episode in episodes] == [(scenario.id, True) for scenario in admitted]
    drafts = [Draft.model_validate_json(line) for line in (tmp_path / "run" / "authored.jsonl").read_text().splitlines()]
    assert [draft.reason for draft in drafts] == verdicts and "cannot write" in drafts[2].text
    assert all(
        scenario.archetype in request["messages"][1]["content"] for scenario, request in zip(wanted, sorted_by_seed(requests), strict=True)
    )


def sorted_by_seed(requests: list[dict]) -> list[dict]:
    return sorted((request for request in requests if len(request["messages"]) > 1), key=lambda request: request["seed"])


def test_authored_scenarios_run_under_bwrap_only_on_request(gather: Collect, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with (
        serving(lambda request: completion("{}")) as (url, requests),
        pytest.raises(SandboxError, match="only if asked to: sandbox=bwrap"),
    ):
        gather(*AUTHOR, f"agent.url={url}", "episodes=1")
    assert requests == []


def test_an_error_counts_the_reasons_when_no_scenario_is_admitted(gather: Collect):
    with (
        serving(lambda request: completion("no")) as (url, _),
        pytest.raises(ScenarioError, match=r"no scenario passed the gate \(unparsable 3\)"),
    ):
        gather(*AUTHOR, f"agent.url={url}", "episodes=3", "sandbox=bwrap")


def test_the_author_of_a_scenario_may_also_play_it(gather: Collect):
    scenario = next(scenario for scenario in scenarios(60) if scenario.announcement.kind == "banner" and scenario.terminal == "exit")

    def answer(request: dict) -> Answer:
        turns = request["messages"]
        if len(turns) < 2:
            return completion("ready")
        if "Write another one" in turns[1]["content"]:
            return completion(changed(scenario, axes=None, terminal="exit"))
        return completion(scenario.reference[sum(turn["role"] == "assistant" for turn in turns)])

    with serving(answer) as (url, requests):
        summary, episodes = gather(*AUTHOR, "agent=endpoint", f"agent.url={url}", "episodes=60", "sandbox=bwrap")
    assert summary["kept"] == summary["episodes"] >= 1 and set(summary["refused"]) <= {"invalid", "unsolvable"}
    assert all(episode.messages[0].role == "user" and episode.agent == "teacher" for episode in episodes)


def test_answers_on_disk_are_not_requested_again(tmp_path: Path):
    wanted = scenarios(4)
    path = tmp_path / "authored.partial.jsonl"
    with serving(lambda request: completion(dumps(wanted[request["seed"]]))) as (url, requests):
        client = Client(EndpointConfig(url, "teacher"))
        first = author.write(wanted, client.complete, 0, "", path, workers=1)
        got = [next(first), next(first)]
        first.close()
        path.write_bytes(path.read_bytes() + b'{"id": "authored-s0-00')
        requests.clear()
        drafts = list(author.write(wanted, client.complete, 0, "", path, workers=1))
        assert [request["seed"] for request in requests] == [2, 3]
    assert drafts[:2] == got and [draft.reason for draft in drafts] == [""] * 4


def test_a_draft_of_the_first_edition_is_read():
    scenario = scenarios(1)[0]
    line = json.dumps({"id": "authored-s0-0000", "bundle": json.loads(dumps(scenario)), "reason": "", "detail": "", "text": ""})
    assert Draft.model_validate_json(line).scenario == scenario


def test_the_archetypes_of_the_evaluation_are_not_written_for_training(gather: Collect):
    with pytest.raises(SettingsError, match="scenarios: found held_out, allowed with author=endpoint: train"):
        gather(*AUTHOR, "episodes=1", "scenarios=held_out", "sandbox=bwrap")

"""An evaluation over HTTP of a server in twelve kinds of trouble: what ends the episodes, who is to blame, and the verdict."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from sekft.api import draw_scenarios
from sekft.cli.settings import conf_folder, settings
from sekft.config import EvalCommandConfig, commands
from sekft.config.job import Job
from sekft.episode import trajectory
from sekft.eval import command
from tests.collect.stub_server import Answer, answering, completion, serving

FULL = {"message": "request (4390 tokens) exceeds the available context size (4096 tokens)", "type": "exceed_context_size_error"}
SOON = {"retry-after": "0.01"}


def choice(finish_reason: str, **message: Any) -> Answer:
    return answering({"choices": [{"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", **message}}]})


# the answer; how the episode ends; the first words of its reason; the kind of trouble in the verdict. docs/endpoints.md has the table
KINDS: dict[str, tuple[Answer, str, str, str]] = {
    "context_full": (answering({"error": FULL}, 400), "token_limit", "the context of the endpoint's model: request (4390 tokens)", ""),
    "reasoning_only": (choice("length", content=None, reasoning_content="First,"), "token_limit", "no text within max_tokens=", ""),
    "refusal": (choice("stop", content=None, refusal="I cannot."), "silent", "the model refused: I cannot.", ""),
    "tool_call": (choice("tool_calls", content=None, tool_calls=[{"id": "c"}]), "silent", "a tool call and no text", ""),
    "empty": (choice("stop", content=""), "silent", "an empty reply", ""),
    "overloaded": (answering({"error": "Rate limit"}, 429, **SOON), "broken", "endpoint overloaded: http 429: Rate", "overloaded"),
    "error_in_200": (answering({"choices": None, "error": {"message": "Broken"}}, **SOON), "broken", "endpoint failed: Broken", "failed"),
    "server_error": (answering({"error": "CUDA out of memory"}, 500, **SOON), "broken", "endpoint failed: http 500: CUDA", "failed"),
    "no_credit": (answering({"error": {"message": "Pay first", "code": 402}}), "broken", "endpoint out of credit: Pay", "out of credit"),
    "wrong_key": (answering({"error": "no such key"}, 401), "broken", "endpoint denied: http 401: no such key", "denied"),
    "rejected": (answering({"error": "unknown field seed"}, 422), "broken", "endpoint rejected: http 422: unknown", "rejected"),
    "filtered": (choice("content_filter", content=""), "broken", "endpoint filtered: finish_reason content_filter", "filtered"),
    "unreadable": (Answer(b"<title>Sign in</title>"), "broken", "endpoint unreadable: a page of HTML or XML (Sign in)", "unreadable"),
}  # fmt: skip


def test_trouble_of_the_endpoint_is_never_booked_as_the_failure_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scenario = draw_scenarios("test", 1)[0]

    def answer(request: dict[str, Any]) -> Answer:
        asked = request["messages"]
        if request["max_tokens"] == 1:  # the question whether the model is there
            return completion("ls")
        if request["model"] == "good":
            return completion(scenario.reference[sum(message["role"] == "assistant" for message in asked)])
        return KINDS[request["model"]][0] if len(asked) > 1 else completion("ls")

    monkeypatch.chdir(tmp_path)
    commands.register()
    names = ", ".join(f"{name}: {name}" for name in KINDS)
    with serving(answer) as (url, requests):
        overrides = ["agent=endpoint", f"agent.url={url}", "agent.model=good", "agent.retries=1", f"adapter={{{names}}}", "scenarios=test"]
        overrides += ["eval.episodes=1", "eval.baselines=false", "sandbox=bwrap", "tracker=none"]
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            chosen = settings(compose("eval", overrides), EvalCommandConfig)
        summary = command.run(chosen, Job(tmp_path / "run", "run", None, tuple(overrides), ()))
    played = {episode.agent: episode for episode in trajectory.read(tmp_path / "run" / "episodes.jsonl")}
    for name, (_, ending, reason, kind) in KINDS.items():
        episode, verdict = played[name], summary["verdicts"][name]
        assert (episode.ending.value, episode.reason[: len(reason)]) == (ending, reason), episode
        assert episode.outcome.value == {"token_limit": "ran_out"}.get(ending, ending)
        wanted = f"unmeasured (100% of {name}'s episodes broken: endpoint {kind} 1, allowed" if kind else "inconclusive ("
        assert verdict.startswith(wanted), (name, verdict)
    assert played["base"].kept
    tries = {name: sum(request["model"] == name for request in requests) for name in KINDS}
    assert tries["overloaded"] == tries["error_in_200"] == tries["server_error"] == 1 + 2 * (1 + 2)  # twice asked, twice played
    assert tries["wrong_key"] == tries["no_credit"] == tries["filtered"] == 1 + 2  # neither asked nor played again
    record = json.dumps([episode.model_dump(mode="json") for episode in played.values()])
    assert url not in record and url.split("//")[1].split("/")[0] not in record

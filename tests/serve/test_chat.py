"""The endpoint generates the same replies as an evaluation, whole or streamed, for every kind of request."""

import time
from pathlib import Path

import httpx
import openai
import pytest

from sekft.config import EvalConfig
from sekft.model.agents import model_agents
from sekft.model.base import Base
from sekft.rendering.messages import Message
from tests.serve.server import Running

pytestmark = pytest.mark.xdist_group("serving")
LANDING = [{"role": "user", "content": "Welcome\n$ "}]
TALK = [*LANDING, {"role": "assistant", "content": "ls"}, {"role": "user", "content": "NOTICE  héllo.txt\n$ "}]


def in_process(base: Base, adapter: Path | None, messages: list[dict], tokens: int) -> str:
    turns = [Message.model_validate(message) for message in messages]
    config = EvalConfig(max_reply_tokens=tokens)
    with model_agents(base, {"one": adapter}, config, 0) as models:
        return models.agents["one"].reply("a#0", turns).text


def text_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]["content"]


@pytest.fixture
def client(server: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_every_name_replies_as_its_model_does_in_process(server: Running, adapters: dict[str, Path], tiny: Base):
    folders = {"tiny": None, **adapters}
    expected = {name: in_process(tiny, folder, TALK, 24) for name, folder in folders.items()}
    assert len(set(expected.values())) == 3
    for name in ("tiny", "early", "v1.2", "early", "tiny", "v1.2"):
        assert text_of(server.chat(TALK, name, max_tokens=24)) == expected[name]


def test_a_stream_joins_to_the_whole_reply_and_has_the_same_usage(server: Running, client: openai.OpenAI):
    for name in ("tiny", "early", "v1.2"):
        whole = server.chat(TALK, name, max_completion_tokens=40).json()
        options = {"stream_options": {"include_usage": True}}
        chunks = list(client.chat.completions.create(model=name, messages=TALK, max_tokens=40, stream=True, **options))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == content(whole)
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == whole["choices"][0]["finish_reason"]
        assert chunks[0].choices[0].delta.role == "assistant" and len({chunk.id for chunk in chunks}) == 1
        assert chunks[-1].usage is not None and chunks[-1].usage.model_dump(exclude_none=True) == whole["usage"]
        assert len(chunks) > 10


def content(completion: dict) -> str:
    return completion["choices"][0]["message"]["content"]


def test_the_openai_client_chats_and_lists_the_models(client: openai.OpenAI, server: Running):
    answer = client.chat.completions.create(model="tiny", messages=TALK, max_tokens=7, temperature=0, user="me", metadata={"a": "b"})
    assert answer.choices[0].finish_reason == "length" and answer.usage is not None
    assert (answer.usage.completion_tokens, answer.usage.total_tokens) == (7, answer.usage.prompt_tokens + 7)
    again = [*TALK, answer.choices[0].message, {"role": "user", "content": "$ "}]
    assert client.chat.completions.create(model="tiny", messages=again, max_tokens=7).usage
    assert [model.id for model in client.models.list()] == ["tiny", "early", "v1.2"]
    assert httpx.get(f"{server.url}/v1/models").json()["data"][1]["parent"] == "tiny"


def test_the_openai_client_raises_its_own_error_for_each_refusal(client: openai.OpenAI):
    def ask(**changes):
        return client.chat.completions.create(**{"model": "tiny", "messages": TALK, "max_tokens": 2, **changes})

    with pytest.raises(openai.NotFoundError, match="served here: tiny, early, v1.2"):
        ask(model="gpt-4o")
    with pytest.raises(openai.BadRequestError, match="n: found 2, allowed: 1") as refused:
        ask(n=2)
    assert refused.value.param == "n" and refused.value.code == "unsupported_value" and refused.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError, match="tools: found"):
        ask(tools=[{"type": "function", "function": {"name": "x"}}])
    with pytest.raises(openai.BadRequestError, match="allowed: fewer than 2048"):
        ask(messages=[{"role": "user", "content": "ls " * 3000}])


def test_a_model_is_described_by_its_name(server: Running, client: openai.OpenAI):
    assert client.models.retrieve("early").model_dump()["parent"] == "tiny" and client.models.retrieve("tiny").id == "tiny"
    with pytest.raises(openai.NotFoundError, match="served here: tiny, early, v1.2"):
        client.models.retrieve("org/nobody")


def test_a_stop_string_ends_the_reply_before_it_and_is_never_streamed(server: Running, client: openai.OpenAI):
    text = text_of(server.chat(TALK, "tiny", max_tokens=40))
    stop = text[12:16]
    assert text.find(stop) > 0
    cut = server.chat(TALK, "tiny", max_tokens=40, stop=[stop, "never typed"]).json()
    assert content(cut) == text[: text.find(stop)] and cut["choices"][0]["finish_reason"] == "stop"
    assert cut["usage"]["completion_tokens"] < 40
    chunks = client.chat.completions.create(model="tiny", messages=TALK, max_tokens=40, stop=stop, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == content(cut)


def test_a_seed_repeats_a_sampled_reply_and_another_seed_gives_another(server: Running):
    drawn = [text_of(server.chat(TALK, "early", max_tokens=16, temperature=1.5, top_p=0.9, seed=seed)) for seed in (7, 8, 7, -1)]
    assert drawn[0] == drawn[2] and len(set(drawn)) == 3
    unseeded = {text_of(server.chat(TALK, "early", max_tokens=16, temperature=1.5)) for _ in range(3)}
    assert len(unseeded) > 1
    assert text_of(server.chat(TALK, "early", max_tokens=16, temperature=1e-30)) == text_of(server.chat(TALK, "early", max_tokens=16))


def test_an_adapter_without_a_fingerprint_is_served_and_reported_as_unproven(server: Running):
    log = server.log.read_text()
    assert "v1.2: render unproven (no fingerprint.json" in log and "early: render unproven" not in log


def test_every_request_leaves_one_line(server: Running):
    server.chat(LANDING, "early", max_tokens=3)
    httpx.get(f"{server.url}/nowhere%1b[31m%0a")
    end = time.monotonic() + 20
    while "GET /nowhere" not in server.log.read_text() and time.monotonic() < end:  # it is written when all has been sent
        time.sleep(0.05)
    lines = server.log.read_text().splitlines()
    assert any(line.startswith("POST /v1/chat/completions 200 ") and "+3 tokens " in line and line.endswith(" ms") for line in lines)
    assert lines[-1].startswith("GET /nowhere") and " 404 " in lines[-1] and lines[-1].isprintable()

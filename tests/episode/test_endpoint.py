"""The endpoint client over real HTTP: every failure of a server becomes one EndpointError of a fixed kind."""

import socket

import pytest

from sekft.config.endpoint import EndpointConfig
from sekft.episode.endpoint import Client, EndpointAgent
from sekft.errors import EndpointError
from sekft.rendering.messages import Message
from tests.collect.stub_server import Answer, completion, refusing, serving

HELLO = (Message(role="user", content="$ "),)
QUICK = {"timeout_s": 1.0, "retries": 1}


def client(url: str, **changes) -> Client:
    return Client(EndpointConfig(url, "teacher", **(QUICK | changes)))


def test_the_reply_is_the_text_of_the_first_choice_unchanged():
    with serving(lambda request: completion("  ls -l\n")) as (url, requests):
        assert client(url, temperature=0.5, max_tokens=9, extra={"top_k": 3}).complete(HELLO, seed=7).text == "  ls -l\n"
    sent = {name: requests[0][name] for name in ("model", "messages", "temperature", "max_tokens", "seed", "top_k")}
    messages = [{"role": "user", "content": "$ "}]
    assert sent == {"model": "teacher", "messages": messages, "temperature": 0.5, "max_tokens": 9, "seed": 7, "top_k": 3}


def test_the_key_is_read_from_the_named_environment_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "secret")
    with serving(lambda request: completion("ls")) as (url, requests):
        client(url, key_env="MY_KEY").complete(HELLO, 0)
        client(url, key_env="NOT_SET").complete(HELLO, 0)
    assert [request["authorization"] for request in requests] == ["Bearer secret", "Bearer none"]


@pytest.mark.parametrize(
    ("answer", "kind", "tries"),
    [
        (refusing(500), "http 500", 2),
        (refusing(429), "http 429", 2),
        (refusing(401), "http 401", 1),
        (Answer(after_s=30), "timeout", 2),
        (Answer(b" " * 200, drip_s=0.4), "timeout", 2),
        (Answer(endless=True), "unreadable", 1),
        (Answer(b"{", headers={"transfer-encoding": "chunked"}), "unreachable", 2),
        (Answer(b"<html>hello</html>"), "unreadable", 1),
        (Answer(b'{"choices": []}'), "unreadable", 1),
        (Answer(b'{"choices": [{"message": {"content": {"text": "ls"}}}]}'), "unreadable", 1),
        (Answer(b"[" * 100_000), "unreadable", 1),
    ],
    ids=["500s", "429s", "401", "hangs", "drips", "a GB", "breaks off", "HTML", "no choice", "no text", "deep nesting"],
)
def test_every_failure_has_a_kind_and_a_bounded_number_of_tries(answer: Answer, kind: str, tries: int):
    with serving(lambda request: answer) as (url, requests), pytest.raises(EndpointError) as refused:
        client(url).complete(HELLO, 0)
    assert refused.value.kind == kind and str(refused.value).startswith(f"{url}: {kind}: ")
    assert "\n" not in str(refused.value) and len(requests) == tries


def test_a_failure_that_passes_is_retried():
    answers = [refusing(503), completion("ls")]
    with serving(lambda request: answers.pop(0)) as (url, _):
        assert client(url).complete(HELLO, 0).text == "ls"


def test_a_missing_server_is_reported_in_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EndpointError, match=r"^http://127\.0\.0\.1:\d+/v1: unreachable: .* \(tried 2 times\)$"):
        client(url).require_answer()


def test_a_full_context_is_reported_as_full_and_an_answer_without_text_is_empty():
    answers = [refusing(400, "context_length_exceeded"), completion(None), refusing(400, "bad")]
    with serving(lambda request: answers.pop(0)) as (url, _):
        endpoint = client(url)
        assert endpoint.complete(HELLO, 0).full
        assert endpoint.complete(HELLO, 0).text == ""
        with pytest.raises(EndpointError, match="http 400"):
            endpoint.complete(HELLO, 0)


def test_the_agent_sends_the_scaffold_first_with_a_reproducible_seed_and_never_raises():
    answers = [completion("ls"), completion("ls"), refusing(500), refusing(500)]
    with serving(lambda request: answers.pop(0)) as (url, requests):
        agent = EndpointAgent(client(url), "answer with one command line", seed=3)
        replies = [agent.reply("scenario#0", HELLO) for _ in range(3)]
    assert [reply.text for reply in replies] == ["ls", "ls", ""] and replies[2].reason == "endpoint http 500"
    assert requests[0]["messages"] == [{"role": "system", "content": "answer with one command line"}, {"role": "user", "content": "$ "}]
    assert requests[0]["seed"] == requests[1]["seed"] and 0 <= requests[0]["seed"] < 2**31

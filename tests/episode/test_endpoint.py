"""The endpoint client over real HTTP: every failure of a server becomes one EndpointError of a fixed kind."""

import socket
import time

import pytest

from sekft.config.endpoint import EndpointConfig
from sekft.episode.answers import FULL_CONTEXT
from sekft.episode.endpoint import Client, EndpointAgent
from sekft.errors import EndpointError, SettingsError
from sekft.rendering.messages import Message
from tests.collect.stub_server import Answer, answering, completion, refusing, serving

HELLO = (Message(role="user", content="$ "),)
QUICK = {"timeout_s": 30.0, "retries": 1}


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
        (refusing(500), "failed", 2),
        (refusing(429), "overloaded", 2),
        (refusing(401), "denied", 1),
        (refusing(402), "out of credit", 1),
        (refusing(404), "rejected", 1),
        (answering({"error": {"message": "busy", "code": 429}}), "overloaded", 2),
        (answering({}, 307, location="http://elsewhere/v1"), "rejected", 1),
        (Answer(after_s=30), "timeout", 2),
        (Answer(b" " * 200, drip_s=0.4), "timeout", 2),
        (Answer(endless=True), "unreadable", 1),
        (Answer(b"{", headers={"transfer-encoding": "chunked"}), "unreachable", 2),
        (Answer(b"<html>hello</html>"), "unreadable", 1),
        (Answer(b'{"choices": []}'), "unreadable", 1),
        (Answer(b'{"choices": [{"message": {"content": {"text": "ls"}}}]}'), "unreadable", 1),
        (Answer(b"[" * 100_000), "unreadable", 1),
    ],
    ids=[
        "500s",
        "429s",
        "401",
        "402",
        "404",
        "429 in 200",
        "redirects",
        "hangs",
        "drips",
        "a GB",
        "breaks off",
        "HTML",
        "no choice",
        "no text",
        "deep nesting",
    ],
)
def test_every_failure_has_a_kind_and_a_bounded_number_of_tries(answer: Answer, kind: str, tries: int):
    with serving(lambda request: answer) as (url, requests), pytest.raises(EndpointError) as refused:
        client(url, timeout_s=1.0 if kind == "timeout" else 30.0).complete(HELLO, 0)
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
    full = refusing(400, "context_length_exceeded")
    answers = [full, full, completion(None), refusing(400, "bad")]
    with serving(lambda request: answers.pop(0)) as (url, _):
        endpoint = client(url)
        reply = endpoint.complete(HELLO, 0)
        assert reply.full and reply.reason == f"{FULL_CONTEXT}: no: context_length_exceeded"
        assert endpoint.complete(HELLO, 0).text == ""
        with pytest.raises(EndpointError, match="http 400: no: bad"):
            endpoint.complete(HELLO, 0)


def test_more_tokens_than_the_context_has_are_a_wrong_setting_and_not_a_full_context():
    def answer(request: dict) -> Answer:
        return completion("ls") if request["max_tokens"] < 4096 else refusing(400, "This model's maximum context length is 4096 tokens")

    with serving(answer) as (url, _):
        endpoint = client(url, max_tokens=5000)
        with pytest.raises(EndpointError, match="rejected: max_tokens=5000 is too large for the context of .* 4096 tokens"):
            endpoint.complete(HELLO, 0)
        assert endpoint.complete([*HELLO, Message(role="assistant", content="ls"), *HELLO], 0).full


def test_the_pause_that_a_server_asks_for_is_kept():
    answers = [answering({"error": "slow down"}, 429, **{"retry-after": "0.05"}), completion("ls")]
    with serving(lambda request: answers.pop(0)) as (url, _):
        started = time.monotonic()
        assert client(url).complete(HELLO, 0).text == "ls"
        assert time.monotonic() - started >= 0.05


def test_extra_fields_replace_ours_and_null_leaves_one_out():
    with serving(lambda request: completion("ls")) as (url, requests):
        client(url, extra={"max_completion_tokens": 9, "max_tokens": None, "seed": None}).complete(HELLO, 1)
    assert requests[0]["max_completion_tokens"] == 9 and not {"max_tokens", "seed"} & set(requests[0])


@pytest.mark.parametrize(
    "url", ["", "localhost:8000/v1", "ftp://host/v1", "http://", "http://[::1/v1", "http://host:99999/v1", "http://a b/v1"]
)
def test_what_is_no_url_is_refused_in_one_line(url: str):
    with pytest.raises(SettingsError, match=r"^agent\.url: found .* allowed: http://HOST:PORT/v1 or https://HOST/v1$"):
        client(url)


def test_a_key_that_no_header_can_hold_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "geheim\nschlüssel")
    with pytest.raises(SettingsError, match="^MY_KEY: ") as refused:
        client("http://127.0.0.1:9/v1", key_env="MY_KEY")
    assert "geheim" not in str(refused.value)


def test_neither_key_nor_address_gets_into_the_record(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "correct-horse")
    words = "key correct-horse, sk-abcdefghijklmnopqrstuvwx or Bearer x at http://gpu7/v1?key=1, 10.0.0.7:80 and 127.0.0.1:80 is wrong"
    with serving(lambda request: answering({"error": words}, 401)) as (url, _), pytest.raises(EndpointError) as refused:
        client(url.replace("http://", "http://me:pass@"), key_env="MY_KEY").complete(HELLO, 0)
    assert refused.value.reason == ("endpoint denied: http 401: key [key], [key] or [key] at [address] [address] and [address] is wrong")
    message = str(refused.value)
    assert not any(secret in message for secret in ("correct-horse", "sk-abc", "me:pass")) and "environment variable MY_KEY" in message


def test_the_agent_sends_the_scaffold_first_with_a_reproducible_seed():
    with serving(lambda request: completion("ls")) as (url, requests):
        agent = EndpointAgent(client(url), "answer with one command line", seed=3)
        assert [agent.reply("scenario#0", HELLO).text for _ in range(2)] == ["ls", "ls"]
    assert requests[0]["messages"] == [{"role": "system", "content": "answer with one command line"}, {"role": "user", "content": "$ "}]
    assert requests[0]["seed"] == requests[1]["seed"] and 0 <= requests[0]["seed"] < 2**31

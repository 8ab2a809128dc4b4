"""The loopback is asked without a proxy; a proxy that cannot be used or does not answer is named by its variable, in one line."""

import socket

import pytest

from sekft import proxies
from sekft.config.endpoint import EndpointConfig
from sekft.episode.endpoint import Client
from sekft.errors import EndpointError, SettingsError
from sekft.rendering.messages import Message
from tests.collect.stub_server import completion, refusing, serving

HELLO = (Message(role="user", content="$ "),)
FAR = "http://models.invalid:8000/v1"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def client(url: str) -> Client:
    return Client(EndpointConfig(url, "m", timeout_s=5, retries=0))


@pytest.mark.parametrize("value", ["socks://127.0.0.1:7890", "socks5://127.0.0.1:7890", "http://127.0.0.1:9", "127.0.0.1:9", "nonsense://"])
def test_the_loopback_is_asked_without_a_proxy(value: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("ALL_PROXY", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, value)
    with serving(lambda request: completion("exit")) as (url, _):
        assert client(url).complete(HELLO, 0).text == "exit"
    for near in (
        "http://localhost/v1",
        "http://[::1]:8000",
        "http://0.0.0.0:1",
        "https://a.localhost",
        "http://LOCALHOST.",
        "http://127.9.9.9",
    ):
        assert proxies.proxy_of(near) is None


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (
            "socks://127.0.0.1:7890/",
            r"ALL_PROXY=socks://127.0.0.1:7890/: found a proxy of the kind socks://, allowed: http://, https://, socks5",
        ),
        ("socks5h://me:word@gate:1080", "ALL_PROXY=socks5h://gate:1080: a SOCKS proxy needs the package socksio; pip install socksio"),
        ("http://me:w?rd@gate:no", "ALL_PROXY=http://gate:no: no address of a proxy, allowed: http://HOST:PORT"),
        ("http://[::1", r"ALL_PROXY=http://\[::1: no address of a proxy"),
        ("http://", "ALL_PROXY=http://: no address of a proxy"),
        ("://gate", "ALL_PROXY=://gate: found a proxy of the kind ://"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(value: str, line: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALL_PROXY", value)
    monkeypatch.setattr(proxies, "find_spec", lambda name: None)  # as where socksio is not installed
    with pytest.raises(SettingsError, match=f"^{line}.*, or name models.invalid in NO_PROXY$") as refused:
        client(FAR)
    assert "me" not in str(refused.value).split() and "w?rd" not in str(refused.value) and "word@" not in str(refused.value)


def test_a_proxy_that_does_not_answer_or_refuses_is_named(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{port}")
    with pytest.raises(EndpointError) as refused:
        client(FAR).complete(HELLO, 0)
    assert refused.value.kind == "unreachable" and refused.value.reason.endswith("refused through the proxy of HTTP_PROXY")
    assert f"the proxy is HTTP_PROXY=http://127.0.0.1:{port}, NO_PROXY names hosts" in str(refused.value)
    with serving(lambda request: refusing(407)) as (url, _):
        monkeypatch.setenv("HTTP_PROXY", url.removesuffix("/v1"))
        with pytest.raises(EndpointError, match=r"denied: http 407: .*the proxy is HTTP_PROXY="):
            client(FAR).complete(HELLO, 0)


def test_a_proxy_is_used_and_no_proxy_names_what_is_asked_without(monkeypatch: pytest.MonkeyPatch):
    with serving(lambda request: completion("exit")) as (url, _):
        monkeypatch.setenv("http_proxy", url.removesuffix("/v1"))
        monkeypatch.setenv("HTTP_PROXY", "http://second:1")
        assert client(FAR).complete(HELLO, 0).text == "exit"
    monkeypatch.setenv("NO_PROXY", "other.org, .lan,10.0.0.0/8,192.168.0.7")
    for direct in ("http://other.org/v1", "http://gpu.lan:80", "http://10.1.2.3", "http://192.168.0.7:8000", "https://unset.org"):
        assert proxies.proxy_of(direct) is None
    for through in ("http://another.org/v1", "http://11.0.0.1", "http://192.168.0.70"):
        assert proxies.proxy_of(through) == proxies.Proxy("http_proxy", url.removesuffix("/v1"))
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxies.proxy_of(FAR) is None

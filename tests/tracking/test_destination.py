"""Whether a host answers is known within the time-out, whatever the host does."""

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sekft.tracking.destination import answers


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(500)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def refusing_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def test_a_host_that_answers_with_an_error_is_there() -> None:
    with refusing_server() as url:
        assert answers(url)


def test_a_host_that_listens_and_says_nothing_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not answers(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.5)
        assert time.monotonic() - start < 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid", "not an address"])
def test_a_host_that_cannot_be_reached_is_not_there(url: str) -> None:
    assert not answers(url, timeout_s=1)


def test_the_proxy_is_asked_where_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_server() as proxy:
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("http_proxy", proxy)
        assert answers("http://nowhere.invalid")

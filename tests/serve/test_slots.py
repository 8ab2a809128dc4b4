"""The queue, the time limit, and clients that leave, tested with a Completer that generates until it is stopped."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn

from sekft.config import ServerConfig
from sekft.model.generate import Completion
from sekft.serve.app import app
from sekft.serve.slots import Slots

REQUEST = {"model": "endless", "messages": [{"role": "user", "content": "$ "}]}
PATH = "/v1/chat/completions"


@dataclass
class Endless:
    """Generates until its client leaves or it is released. ended: how each reply ended."""

    names: tuple[str, ...] = ("endless",)
    context: int | None = None
    typing: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    ended: list[str] = field(default_factory=list)

    def prompt(self, messages) -> list[int]:
        return [1, 2, 3]

    def complete(self, name, prompt, on_text, **_) -> Completion:
        self.typing.set()
        while not on_text("x") and not self.release.is_set():
            time.sleep(0.01)
        self.ended.append("released" if self.release.is_set() else "left")
        return Completion("x", 1, True)


@contextmanager
def served(completer, lines: list[str] | None = None, **limits) -> Iterator[tuple[httpx.Client, Slots]]:
    """The app behind real uvicorn in a thread of this process."""
    settings = ServerConfig(**limits)
    slots = Slots(settings.queue, 1, settings.request_s)
    requests = lines if lines is not None else []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app(completer, settings, slots, requests.append), http="h11", log_config=None, timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as http:
                yield http, slots
        finally:
            slots.closing.set()
            server.should_exit = True
            thread.join(60)


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "the condition never became true"
        time.sleep(0.02)


def test_a_full_queue_refuses_requests_until_a_reply_is_finished():
    completer = Endless()
    with served(completer, queue=2) as (http, slots), ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(http.post, PATH, json=REQUEST) for _ in range(2)]
        wait_for(lambda: slots.taken == 2)
        refused = http.post(PATH, json=REQUEST)
        assert refused.status_code == 503 and refused.json()["error"]["code"] == "overloaded" and int(refused.headers["retry-after"]) > 0
        assert http.get("/health").status_code == http.post("/tokenize", json={"messages": REQUEST["messages"]}).status_code == 200
        completer.release.set()
        assert [one.result().status_code for one in waiting] == [200, 200]
        wait_for(lambda: slots.taken == 0)
        assert http.post(PATH, json=REQUEST).status_code == 200


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_leaves_ends_its_generation_and_frees_its_slot(stream: bool):
    completer, lines = Endless(), []
    with served(completer, lines, queue=1) as (http, slots):
        with pytest.raises(httpx.ReadTimeout):
            if stream:
                with http.stream("POST", PATH, json={**REQUEST, "stream": True}, timeout=5) as answer:
                    assert next(answer.iter_lines()).startswith("data: ")
                    raise httpx.ReadTimeout("enough seen")
            http.post(PATH, json=REQUEST, timeout=0.5)
        wait_for(lambda: slots.taken == 0)
        assert completer.ended == ["left"]
        completer.release.set()
        assert http.post(PATH, json=REQUEST).status_code == 200
    assert len(lines) == 2 and (stream or " 499 " in lines[0])


def test_nothing_is_generated_for_a_client_that_left_the_queue():
    completer = Endless()
    with served(completer, queue=2) as (http, slots), ThreadPoolExecutor(1) as pool:
        first = pool.submit(http.post, PATH, json=REQUEST)
        wait_for(lambda: completer.typing.is_set())
        with pytest.raises(httpx.ReadTimeout):
            http.post(PATH, json=REQUEST, timeout=0.5)
        wait_for(lambda: slots.taken == 1)
        completer.release.set()
        assert first.result().status_code == 200
    assert completer.ended == ["released"]


def test_the_time_limit_ends_a_running_reply_and_a_waiting_one():
    completer = Endless()
    with served(completer, request_s=1.0) as (http, slots), ThreadPoolExecutor(2) as pool:
        first = pool.submit(http.post, PATH, json=REQUEST)
        wait_for(lambda: completer.typing.is_set())
        second = pool.submit(http.post, PATH, json={**REQUEST, "max_tokens": 1})
        late, never = first.result(), second.result()
        assert (late.status_code, late.json()["error"]["code"]) == (504, "timeout")
        assert never.status_code in (503, 504)  # it may have started in between
        with http.stream("POST", PATH, json={**REQUEST, "stream": True}) as answer:
            events = [line for line in answer.iter_lines() if line]
        assert '"code": "timeout"' in events[-2] and events[-1] == "data: [DONE]"
        wait_for(lambda: slots.taken == 0)


class Broken(Endless):
    def complete(self, *_, **__) -> Completion:
        raise RuntimeError("a secret\npath")


def test_an_internal_error_is_one_line_without_a_traceback():
    lines: list[str] = []
    with served(Broken(), lines) as (http, slots):
        answer = http.post(PATH, json=REQUEST)
        assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"
        assert "secret" not in answer.text and "Traceback" not in answer.text
        wait_for(lambda: slots.taken == 0)
    assert lines[0].startswith(f"POST {PATH} 500 ")

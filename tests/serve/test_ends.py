"""Start, access control and shutdown of a server."""

import json
import signal
import socket
import stat
from contextlib import suppress
from pathlib import Path

import httpx
import openai
import pytest

from tests.conftest import run_command
from tests.serve.server import running

pytestmark = pytest.mark.xdist_group("serving")
REQUEST = {"model": "tiny", "messages": [{"role": "user", "content": "$ "}], "stream": True}


def test_sigterm_finishes_running_requests_and_accepts_no_new_ones(babbling: tuple[str, ...], tmp_path: Path):
    with running(tmp_path, "serve.quiet=true", *babbling, SEKFT_TOKEN="") as server:  # an empty token is none
        asked = {**REQUEST, "max_tokens": 200}
        with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=asked, timeout=120) as answer:
            lines = answer.iter_lines()
            first = next(lines)
            server.process.send_signal(signal.SIGTERM)
            refused_at = 0
            events = [first]
            for index, line in enumerate(lines):
                events.append(line)
                if not refused_at and line:
                    try:
                        httpx.get(f"{server.url}/health", timeout=120)
                    except httpx.TransportError:
                        refused_at = index
        assert refused_at, "new connections were taken until the end"
        assert events[-2] == "data: [DONE]" or events[-1] == "data: [DONE]"
        finish = [json.loads(line[6:])["choices"][0]["finish_reason"] for line in events if line.startswith("data: {")]
        assert finish[-1] in ("length", "stop") and server.process.wait(timeout=120) == 0
    out = server.log.read_text()
    assert out.splitlines()[-1] == "stopped" and "POST" not in out


@pytest.mark.slow
def test_an_interrupted_server_ends_within_stop_s_and_removes_its_unix_socket(babbling: tuple[str, ...], tmp_path: Path):
    path = tmp_path / "s.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    words = (f"serve.socket={path}", "serve.stop_s=1", "serve.max_tokens=2000", "serve.host=0.0.0.0", *babbling)
    with running(tmp_path, *words) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        taken = run_command("serve", f"serve.socket={path}", cwd=tmp_path)
        assert taken.returncode == 1 and "Address already in use" in taken.stderr and taken.stderr.count("\n") == 1
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://local", timeout=120) as http:
            assert http.get("/v1/models").json()["data"][0]["id"] == "tiny"
            with http.stream("POST", "/v1/chat/completions", json={**REQUEST, "max_tokens": 2000}) as answer:
                lines = answer.iter_lines()
                next(lines)
                server.process.send_signal(signal.SIGINT)
                text = ""
                with suppress(httpx.TransportError):  # cut off when its second is over
                    text = "".join(lines)
                assert '"finish_reason":"length"' not in text
        assert server.process.wait(timeout=120) == 130
    assert not path.exists() and "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_a_token_is_required_and_never_recorded(tmp_path: Path):
    with running(tmp_path, "serve.host=0.0.0.0", SEKFT_TOKEN="s3cret") as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        for headers in (
            {},
            {"authorization": "s3cret"},
            {"authorization": "Bearer s3cre"},
            {"authorization": "Basic s3cret"},
            {"authorization": "Bearer"},
        ):
            answer = httpx.post(f"{url}/v1/chat/completions", content=b"nonsense", headers=headers)
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer" and "\n" not in answer.text
        assert httpx.get(f"{url}/v1/models").status_code == httpx.post(f"{url}/tokenize").status_code == 401
        assert httpx.get(f"{url}/health").status_code == 200
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0).models.list()
        assert [model.id for model in openai.OpenAI(base_url=f"{url}/v1", api_key="s3cret").models.list()] == ["tiny"]
        port = url.rpartition(":")[2]
        taken = run_command("serve", f"serve.port={port}", cwd=tmp_path)
        assert taken.returncode == 1 and f"serve.port={port}: Address already in use" in taken.stderr and taken.stderr.count("\n") == 1
        assert server.stop(signal.SIGTERM) == 0
    records = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(records) > 3 and not any(b"s3cret" in path.read_bytes() for path in records)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("serve.host=0.0.0.0",), ["serve.host=0.0.0.0", "only with a token", "SEKFT_TOKEN"]),
        (("serve.host=example.org",), ["serve.host=example.org", "only with a token"]),
        (("serve.port=70000",), ["serve.port", "70000", "0 to 65535"]),
        (("serve.queue=0",), ["serve.queue", "1 or more"]),
        (("serve.host=127.0.0.1.1", "serve.token_env=HOME"), ["serve.host=127.0.0.1.1"]),
        (("serve.socket=/nowhere/s",), ["serve.socket=/nowhere/s", "No such file"]),
        (("adapter=nowhere",), ["adapter=nowhere", "adapter_config.json"]),
        (("adapter=[a,b]",), ["adapter", "allowed: a folder, or several by name"]),
        (("adapter={tiny: x}",), ["the name tiny is reserved"]),
        (("serve.porte=1",), ["porte"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_invalid_settings_are_refused_in_one_line(tmp_path: Path, words: tuple[str, ...], parts: list[str]):
    done = run_command("serve", *words, cwd=tmp_path, SEKFT_TOKEN="")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1 and len(lines) == 1, done.stderr
    assert all(word in lines[0] for word in parts), lines[0]


def test_an_adapter_of_another_base_is_refused_in_one_line(tmp_path: Path, adapters: dict[str, Path]):
    done = run_command("serve", f"adapter={adapters['early']}", "model.seed=1", "serve.port=0", cwd=tmp_path)
    assert done.returncode == 1 and "trained with base" in done.stderr and done.stderr.count("\n") == 1

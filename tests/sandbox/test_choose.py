"""The choice of a backend, and how fast a refusal comes."""

import hashlib
import json
import time
from pathlib import Path

import pytest

from sekft.config import BackendKind, SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox.backend import engine
from sekft.sandbox.choose import backend


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "unix:///nonexistent.sock", "tcp://no-such-host.invalid:2375", "nonsense"])
def test_a_dead_engine_is_one_line_at_once(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    started = time.monotonic()
    with pytest.raises(SandboxError) as caught:
        backend(SandboxConfig(backend=BackendKind.docker))
    assert time.monotonic() - started < 15
    assert host in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_an_engine_auto_is_bwrap_and_prints_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    lines: list[str] = []
    try:
        made = backend(SandboxConfig(), lines.append)
    except SandboxError as error:
        pytest.skip(str(error))
    assert made.name == "bwrap"
    assert len(lines) == 1
    assert "tcp://127.0.0.1:1" in lines[0]
    assert "weaker than an engine" in lines[0]


@pytest.mark.docker
def test_with_an_engine_auto_is_docker() -> None:
    lines: list[str] = []
    made = backend(SandboxConfig(), lines.append)
    if made.name != "docker":
        pytest.skip(lines[0])
    assert lines[0].startswith("sandbox: docker (")


def test_a_docker_context_is_chosen_as_the_docker_command_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"far").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": "tcp://127.0.0.1:9"}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    (tmp_path / "config.json").write_text('{"currentContext": "nosuch"}')
    with pytest.raises(SandboxError, match="currentContext=nosuch: no such docker context"):
        list(engine.candidates())
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    assert [host for host, _ in engine.candidates()] == ["tcp://127.0.0.1:9"]
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert "tcp://127.0.0.1:9" not in [host for host, _ in engine.candidates()]
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert [host for host, _ in engine.candidates()] == ["unix:///nowhere"]

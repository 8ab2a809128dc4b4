"""Which backend serves, and how fast we say no."""

import time

import pytest

from sekft.config import Backend as Wanted
from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox.choose import backend


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "unix:///nonexistent.sock", "tcp://no-such-host.invalid:2375", "nonsense"])
def test_a_dead_engine_is_one_line_within_a_second_and_a_half(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    started = time.monotonic()
    with pytest.raises(SandboxError) as caught:
        backend(SandboxConfig(backend=Wanted.docker))
    assert time.monotonic() - started < 1.5
    assert host in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_an_engine_auto_is_bwrap_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    notices: list[str] = []
    try:
        made = backend(SandboxConfig(), notices.append)
    except SandboxError as error:
        pytest.skip(str(error))
    assert made.name == "bwrap"
    assert len(notices) == 1
    assert "tcp://127.0.0.1:1" in notices[0]
    assert "walls missing" in notices[0]


@pytest.mark.docker
def test_with_an_engine_auto_is_docker() -> None:
    notices: list[str] = []
    made = backend(SandboxConfig(), notices.append)
    if made.name != "docker":
        pytest.skip(notices[0])
    assert notices[0].startswith("sandbox: docker (")

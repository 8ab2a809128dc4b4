"""An engine over TCP: nothing is bind-mounted, so that it may run on another host."""

import functools
import socket
import time

import pytest

from sekft.config import BackendKind, SandboxConfig
from sekft.sandbox import choose
from sekft.sandbox.session import CheckResult, File, ShellTurn
from tests.dockerd import dockerd, missing


@pytest.mark.docker
@pytest.mark.exhaustive
def test_an_episode_is_the_same_over_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    if lacking := missing():
        pytest.skip(lacking)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with dockerd("-H", host):
        monkeypatch.setenv("DOCKER_HOST", host)
        lines: list[str] = []
        backend = choose.backend(SandboxConfig(backend=BackendKind.docker, warm=1), lines.append)
        assert f" at {host}, " in lines[0]
        for _ in range(2):  # the second container was made ahead
            with backend.open({"NUMBER": "1"}) as session:
                session.put([File("/home/agent/note", "one\n"), File("/srv/rule", "two\n", owner="root")])
                assert session.run("cat note /srv/rule; echo $NUMBER", 5) == ShellTurn("one\ntwo\n1\n", "ready", 0)
                turn = session.run("sleep 100", 0.5)
                assert (turn.kind, turn.interrupted) == ("ready", "timeout")
                assert session.run("exit 3", 5) == ShellTurn("", "exit", 3)
                assert session.check("cat note; exit 4", 5) == CheckResult(4, "one\n")
        backend._warm.close()  # type: ignore[attr-defined]
        left = functools.partial(backend.engine.client().containers.list, all=True)  # type: ignore[attr-defined]
        end = time.monotonic() + 20
        while left() and time.monotonic() < end:  # auto_remove may still be at work
            time.sleep(0.1)
        assert not left()

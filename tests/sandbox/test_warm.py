"""Containers made ahead: the same episodes, and nothing left however their owner ends."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sekft.sandbox.backend import warm
from sekft.sandbox.session import CheckResult, File, ShellTurn
from tests.sandbox.conftest import SETTINGS, made
from tests.sandbox.test_lifecycle import await_true

pytestmark = pytest.mark.docker

HOLD = """
import dataclasses, time
from sekft.sandbox.backend.docker import DockerBackend
from tests.sandbox.conftest import SETTINGS
from tests.sandbox.test_warm import await_true, containers_of
import os
backend = DockerBackend(dataclasses.replace(SETTINGS, warm=2))
with backend.open({}) as session:
    session.run("true", 5)
    assert await_true(lambda: len(containers_of(os.getpid())) >= 3, 20)
    print("made", flush=True)
    THEN
"""


def containers_of(pid: int) -> set[str]:
    """Names of the containers that a process of this host owns."""
    import socket

    from sekft.sandbox.backend import engine

    label = f"{engine.OWNER}={socket.gethostname()}:{pid}"
    return {container.name for container in engine.find().client().containers.list(all=True, ignore_removed=True, filters={"label": label})}


def backend_with(number: int):
    from sekft.sandbox.backend.docker import DockerBackend

    made("docker")  # skips where there is no engine
    return DockerBackend(dataclasses.replace(SETTINGS, warm=number))


def play(backend, number: int) -> tuple[list[ShellTurn], CheckResult, str]:
    with backend.open({"NUMBER": str(number)}) as session:
        session.put([File("/home/agent/note", f"{number}\n"), File("/srv/rule", "one\n", owner="root")])
        texts = [
            "echo $NUMBER; cat note /srv/rule; ls -la ~ /srv /tmp; env; ulimit -n; ps -e -o comm=",
            "echo x >>note; touch /tmp/left",
            "exit 3",
        ]
        return [session.run(text, 5) for text in texts], session.check("cat note; ls /tmp", 5), session._name


def test_episodes_in_containers_made_ahead_are_the_same_and_each_has_its_own_container() -> None:
    cold, ahead = backend_with(0), backend_with(2)
    try:
        expected = [play(cold, number)[:2] for number in range(4)]
        found: dict[int, tuple[list[ShellTurn], CheckResult, str]] = {}
        threads = [threading.Thread(target=lambda n=n: found.update({n: play(ahead, n)})) for n in range(4)]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        again = [play(ahead, number) for number in range(4)]
        assert [found[number][:2] for number in range(4)] == expected
        assert [episode[:2] for episode in again] == expected
        assert len({episode[2] for episode in [*found.values(), *again]}) == 8
    finally:
        ahead._warm.close()


def test_a_waiting_container_is_taken_and_replaced() -> None:
    backend = backend_with(2)
    try:
        assert await_true(lambda: len(backend._warm._waiting) == 2, 20)
        waiting = {container.name for container in backend._warm._waiting}
        with backend.open({}) as session:
            assert session._name in waiting
            assert await_true(lambda: len(backend._warm._waiting) == 2, 20)
            assert session._name not in {container.name for container in backend._warm._waiting}
    finally:
        backend._warm.close()


@pytest.mark.parametrize("fault", ["removed", "old"])
def test_a_container_that_is_gone_or_too_old_is_not_used(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = backend_with(1)
    try:
        assert await_true(lambda: len(backend._warm._waiting) == 1, 20)
        (waiting,) = backend._warm._waiting
        if fault == "removed":
            backend.engine.client().api.remove_container(waiting.name, force=True)
            assert await_true(lambda: not waiting.alive())
        else:
            monkeypatch.setattr(warm, "SPARE_S", 0)
        with backend.open({}) as session:
            assert session._name != waiting.name
            assert session.run("echo alive", 5).output == "alive\n"
        assert await_true(lambda: waiting.name not in containers_of(os.getpid()))
    finally:
        backend._warm.close()


def test_closing_removes_the_waiting_containers() -> None:
    backend, before = backend_with(2), containers_of(os.getpid())
    assert await_true(lambda: len(backend._warm._waiting) == 2, 20)
    names = {container.name for container in backend._warm._waiting}
    backend._warm.close()
    assert await_true(lambda: not names & containers_of(os.getpid()))
    with backend.open({}) as session:  # still works, without containers made ahead
        assert session.run("true", 5).kind == "ready"
    assert await_true(lambda: containers_of(os.getpid()) <= before - names)


@pytest.mark.parametrize("end", ["return", "error", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_waiting_container_outlives_its_owner(end: str | signal.Signals) -> None:
    made("docker")
    then = {"return": "pass", "error": "raise RuntimeError"}.get(end, "time.sleep(60)") if isinstance(end, str) else "time.sleep(60)"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", HOLD.replace("THEN", then)]
    held = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert held.stdout and held.stdout.readline() == "made\n"
        if isinstance(end, signal.Signals):
            held.send_signal(end)
        held.wait(20)
        started = time.monotonic()
        assert await_true(lambda: not containers_of(held.pid)), time.monotonic() - started
    finally:
        held.kill()

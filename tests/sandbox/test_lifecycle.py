"""No container and no process outlives its owner, however that ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sekft.errors import SandboxError
from sekft.sandbox.session import Backend, File
from tests.sandbox.conftest import SETTINGS, made

HOLD = """
import sys, time
from tests.sandbox.conftest import made
with made(sys.argv[1]).open({}) as session:
    session.run("sleep 1234 &", 5)
    print(getattr(session, "_name", ""), flush=True)
    time.sleep(60)
"""


def await_true(condition: Callable[[], bool], within_s: float = 3.0) -> bool:
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def hold(name: str) -> tuple[subprocess.Popen[str], str]:
    """A process that holds a session, and the name of its container."""
    root = Path(__file__).parents[2]
    held = subprocess.Popen([sys.executable, "-c", HOLD, name], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert held.stdout
    return held, held.stdout.readline().strip()


def containers(name: str) -> list[str]:
    from sekft.sandbox.backend import engine

    return [container.name for container in engine.find().client().containers.list(all=True, ignore_removed=True, filters={"name": name})]


@pytest.mark.docker
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_container_is_gone_soon_after_its_owner(number: signal.Signals) -> None:
    made("docker")
    held, name = hold("docker")
    try:
        assert containers(name) == [name]
        held.send_signal(number)
        held.wait(10)
        assert await_true(lambda: not containers(name))
    finally:
        held.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["bwrap", "bwrap_one_user"])
def test_no_process_of_a_bwrap_episode_outlives_its_owner(name: str, number: signal.Signals) -> None:
    made(name)
    held, _ = hold(name)
    try:
        owner = psutil.Process(held.pid)
        assert await_true(lambda: any("1234" in process.cmdline() for process in owner.children(recursive=True)))
        family = owner.children(recursive=True)
        held.send_signal(number)
        held.wait(10)
        assert await_true(lambda: not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family))
    finally:
        held.kill()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_ends_the_session(backend: Backend, error: type[BaseException]) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    name = ""
    with pytest.raises(error), backend.open({}) as session:
        session.run("sleep 1234 & exit", 5)
        name = getattr(session, "_name", "")
        raise error
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before
    if name:
        assert await_true(lambda: not containers(name))
    else:
        assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


@pytest.fixture
def planted() -> Iterator[Callable[[dict[str, str]], str]]:
    """A function that makes a container with these labels, never started, and returns its name."""
    from sekft.sandbox.backend import engine

    backend = made("docker")
    client, names = engine.find().client(), []

    def plant(labels: dict[str, str]) -> str:
        names.append(f"sekft-test-{os.getpid()}-{len(names)}")
        client.containers.create(backend.image, ["true"], name=names[-1], labels=labels)  # type: ignore[attr-defined]
        return names[-1]

    yield plant
    for name in names:
        for container in client.containers.list(all=True, ignore_removed=True, filters={"name": name}):
            container.remove(force=True)


@pytest.mark.docker
def test_the_sweep_removes_what_is_left_over_and_nothing_else(planted: Callable[[dict[str, str]], str]) -> None:
    from sekft.sandbox.backend import engine

    host, later = socket.gethostname(), str(int(time.time()) + 1000)
    gone = subprocess.Popen(["true"])
    gone.wait()
    dead = planted({"sekft": "1", "sekft.pid": f"{host}:{gone.pid}", "sekft.deadline": later})
    overdue = planted({"sekft": "1", "sekft.pid": f"{host}:{os.getpid()}", "sekft.deadline": "1000"})
    mine = planted({"sekft": "1", "sekft.pid": f"{host}:{os.getpid()}", "sekft.deadline": later})
    elsewhere = planted({"sekft": "1", "sekft.pid": f"other-{host}:{gone.pid}", "sekft.deadline": later})
    foreign = planted({"somebody": "1"})
    engine.sweep(engine.find().client())
    assert [bool(containers(name)) for name in (dead, overdue, mine, elsewhere, foreign)] == [False, False, True, True, True]


@pytest.mark.docker
def test_a_container_that_somebody_removes_is_a_broken_episode_not_an_exception() -> None:
    from sekft.sandbox.backend import engine

    with made("docker").open({}) as session:
        assert session.run("true", 5).kind == "ready"
        engine.find().client().api.remove_container(session._name, force=True)  # type: ignore[attr-defined]
        assert session.run("true", 5).kind == "broken"
        assert session.check("true", 5).broken
        with pytest.raises(SandboxError):
            session.put([File("/srv/x", owner="root")])


def test_a_dead_engine_is_asked_at_most_twice_per_container_that_it_does_not_remove(tmp_path: Path) -> None:
    import docker

    from sekft.sandbox.backend.container import remove

    connections = 0

    def hang_up() -> None:
        nonlocal connections
        with contextlib.suppress(OSError):
            while True:
                server.accept()[0].close()
                connections += 1

    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(tmp_path / "engine.sock"))
        server.listen(64)
        threading.Thread(target=hang_up, daemon=True).start()
        client = docker.DockerClient(base_url=f"unix://{tmp_path}/engine.sock", version="1.41")
        for number in range(20):
            remove(client, f"sekft-{number}")
        client.close()
        server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
    assert 20 <= connections <= 40


@pytest.mark.parametrize("name", ["bwrap", pytest.param("docker", marks=pytest.mark.docker)])
def test_a_session_ends_itself_after_its_time(name: str) -> None:
    import dataclasses

    backend = type(made(name))(dataclasses.replace(SETTINGS, session_s=2))  # type: ignore[call-arg]
    with backend.open({}) as session:
        assert session.run("echo x", 5).kind == "ready"
        assert session.run("sleep 30", 20).kind == "broken"
        assert session.check("true", 5).broken


@pytest.mark.parametrize("name", ["bwrap", "bwrap_one_user"])
def test_a_session_that_interrupted_a_command_still_ends_itself_after_its_time(name: str) -> None:
    import dataclasses

    backend = type(made(name))(dataclasses.replace(SETTINGS, session_s=3), two_users=name == "bwrap")  # type: ignore[call-arg]
    with backend.open({}) as session:
        assert session.run("trap '' INT; sleep 100", 0.2).kind == "ready"
        assert session.run("sleep 30", 20).kind in ("broken", "gone")

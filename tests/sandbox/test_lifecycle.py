"""No container and no process outlives its owner, however that ends."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
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


PLAY = """
import dataclasses, faulthandler, signal, sys
faulthandler.register(signal.SIGUSR1, all_threads=True)
from sekft.config import EvalConfig, SplitConfig
from sekft.episode.agent import Scripted
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.scenario.split import scenarios
from tests.sandbox.conftest import SETTINGS, made
backend = type(made(sys.argv[1]))(dataclasses.replace(SETTINGS, session_s=int(sys.argv[2])))
scenario = scenarios(SplitConfig(name="archetype", held_out=["move", "sort"], train_scenarios=4, eval_scenarios=4), "all")[0]
scripts = [("true", "exit"), ("sleep 30 & cat", "exit"), ("sleep 30", "exit")]
agents = [Scripted(f"agent{number}", {scenario.id: script}) for number, script in enumerate(scripts)]
requests = [EpisodeRequest(scenario, agents[number % 3], number) for number in range(300)]
for line in sys.stdin:
    try:
        print("ready", flush=True)
        play_many(requests, backend, EvalConfig(), workers=8, done=lambda episode: print("ending:", episode.ending, flush=True))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
ROOT = Path(__file__).parents[2]


def await_true(condition: Callable[[], bool], within_s: float = 3.0) -> bool:
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def hold(name: str) -> tuple[subprocess.Popen[str], str]:
    """A process that holds a session, and the name of its container."""
    held = subprocess.Popen([sys.executable, "-c", HOLD, name], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
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


def sandboxes(backend: str, owner: int, session_s: int) -> list[str]:
    """What is left of the sandboxes of one owner: names of containers, or of bwrap processes that have its session_s."""
    if backend == "docker":
        from sekft.sandbox.backend import engine

        label = {"label": f"{engine.OWNER}={socket.gethostname()}:{owner}"}
        return [container.name for container in engine.find().client().containers.list(all=True, ignore_removed=True, filters=label)]
    processes = [process.info for process in psutil.process_iter(["pid", "cmdline", "status"]) if process.pid != owner]
    running = [one for one in processes if one["status"] != psutil.STATUS_ZOMBIE and str(session_s) in (one["cmdline"] or ())[:6]]
    return [str(one["pid"]) for one in running]


@contextlib.contextmanager
def player(backend: str, session_s: int) -> Iterator[subprocess.Popen[str]]:
    """A process with a group of its own that plays once per line of its standard input, until it is interrupted."""
    command = [sys.executable, "-c", PLAY, backend, str(session_s)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupt(process: subprocess.Popen[str], backend: str, after_s: float, session_s: int) -> None:
    """Let it play and send SIGINT to its process group, as a terminal does; require the end of the playing, and that of its sandboxes."""
    assert process.stdin and process.stdout

    def give_up() -> None:
        process.send_signal(signal.SIGUSR1)  # prints on stderr where its threads are
        time.sleep(0.5)
        process.kill()

    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)
    watchdog = threading.Timer(20.0, give_up)
    watchdog.start()
    for line in process.stdout:
        if line == "interrupted\n":
            break
        assert line == "ending: exit\n" or not line.startswith("ending: ")  # no sandbox that the signal ended counts as a broken one
    else:
        pytest.fail("not over 20 s after the signal")
    watchdog.cancel()
    assert await_true(lambda: not sandboxes(backend, process.pid, session_s), 10.0), sandboxes(backend, process.pid, session_s)


def test_an_interrupt_while_sandboxes_start_and_play_leaves_none() -> None:
    made("bwrap")
    with player("bwrap", 6000) as process:
        for after_s in (0.03, 0.4):
            interrupt(process, "bwrap", after_s, 6000)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["bwrap", pytest.param("docker", marks=pytest.mark.docker)])
def test_an_interrupt_at_twenty_random_moments_leaves_no_sandbox(name: str) -> None:
    made(name)
    moments = random.Random(0)
    with player(name, 6100) as process:
        for _ in range(20):
            interrupt(process, name, moments.uniform(0, 1.5), 6100)


def test_a_sandbox_whose_owner_was_killed_while_it_started_is_ended_by_the_next_start() -> None:
    from sekft.sandbox.backend.control import sweep

    options = "--unshare-user --unshare-pid --die-with-parent --ro-bind / / --info-fd 1 --userns-block-fd 7"
    script = f"printf '%s\\0' {options} > $1; exec 8<$1 7<&0; exec bwrap --args 8 /bin/sh /run/place 6200"
    with tempfile.NamedTemporaryFile() as file:
        bwrap = subprocess.Popen(["sh", "-c", script, "sh", file.name], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert await_true(lambda: len(sandboxes("bwrap", 0, 6200)) == 2)
        bwrap.kill()
        bwrap.wait()
        assert len(sandboxes("bwrap", 0, 6200)) == 1  # it waits for the one that was killed
        assert sweep() >= 1 and await_true(lambda: not sandboxes("bwrap", 0, 6200))


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

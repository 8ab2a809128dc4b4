"""The arena of the attacks: a backend, a neighbour session that must not notice them, and a listener on the host."""

import contextlib
import dataclasses
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

from sekft.config import SandboxConfig
from sekft.sandbox.session import Backend, CheckResult, File, Session, ShellTurn
from tests.sandbox.attacks.attack import CHECKED, Attack, Seen

SETTINGS = SandboxConfig(session_s=60, flood_bytes=1 << 20)
PORT = 20000 + os.getpid() % 12000  # below the kernel's ephemeral ports; different for two runs at the same time
ABSTRACT = f"\0sekft-attacked-{os.getpid()}"  # a socket without a file, visible in its whole network namespace


@dataclass
class Arena:
    name: str
    backend: Backend
    neighbour: "Neighbour"
    listener: "Listener"
    _walls: dict[str, Backend] = field(default_factory=dict)

    def play(self, attack: Attack) -> Seen:
        """Play one attack. Raises AssertionError if the neighbour was harmed or something is left."""
        before, reached, memory = _children(), self.listener.reached, psutil.Process().memory_info().rss
        backend = self._with(attack)
        started = time.monotonic()
        with backend.open({}) as session:
            name = getattr(session, "_name", "")
            turns = list(_type(session, attack))
            waited = self.neighbour.answer_now()
            checked = session.check(attack.checker, attack.check_s)
        seconds = time.monotonic() - started
        waited = max(waited, self.neighbour.slowest_since(started))
        assert _children() <= before, "processes of the episode are left"
        assert not name or self._is_gone(name), "the container is left"
        self._require_fresh_session()
        grown = (psutil.Process().memory_info().rss - memory) / 1e6
        return Seen(tuple(turns), checked, seconds, waited, self.listener.reached - reached, grown)

    def _with(self, attack: Attack) -> Backend:
        key = repr(attack.settings)
        if key not in self._walls:
            self._walls[key] = make(self.name, dataclasses.replace(SETTINGS, **attack.settings)) if attack.settings else self.backend
        return self._walls[key]

    def _require_fresh_session(self) -> None:
        """A fresh episode works; one that breaks is played once more, as the runner does."""
        checked = self._fresh_check()
        if checked.broken:
            checked = self._fresh_check()
        assert checked.status == CHECKED, f"a fresh episode is not checked: {checked}"

    def _fresh_check(self) -> CheckResult:
        with self.backend.open({}) as session:
            assert session.run("echo fresh", 10) == ShellTurn("fresh\n", "ready", 0), "a fresh episode does not work"
            return session.check(f"exit {CHECKED}", 10)

    def _is_gone(self, container: str) -> bool:
        """Whether the container is removed within a moment: auto_remove may be slower than we are."""
        client = self.backend.engine.client()  # type: ignore[attr-defined]
        for _ in range(100):
            if not client.containers.list(all=True, ignore_removed=True, filters={"name": container}):
                return True
            time.sleep(0.05)
        return False


@contextlib.contextmanager
def arena(name: str) -> Iterator[Arena]:
    """An arena on this backend. Raises SandboxError if it does not work here."""
    backend = make(name, SETTINGS)
    with Listener() as listener, Neighbour(make(name, dataclasses.replace(SETTINGS, session_s=1800))) as neighbour:
        yield Arena(name, backend, neighbour, listener)


def make(name: str, settings: SandboxConfig) -> Backend:
    """Raises SandboxError."""
    if name == "docker":
        from sekft.sandbox.backend.docker import DockerBackend

        return DockerBackend(settings)
    from sekft.sandbox.backend.bwrap import BwrapBackend

    return BwrapBackend(settings, two_users=name == "bwrap")


class Neighbour:
    """A session in a thread of its own that answers again and again and checks that its state is unchanged."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._answers: list[tuple[float, float]] = []  # (start, seconds)
        self._trouble = ""
        self._answered, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Neighbour":
        self._thread.start()
        self.answer_now()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def answer_now(self) -> float:
        """Seconds until the next complete answer. Raises AssertionError if none comes."""
        started = time.monotonic()
        for _ in range(2):  # the first may have begun before the call
            self._answered.clear()
            assert self._answered.wait(30), "the neighbour does not answer"
            assert not self._trouble, f"the neighbour was harmed: {self._trouble}"
        return time.monotonic() - started

    def slowest_since(self, since: float) -> float:
        return max((seconds for when, seconds in self._answers if when >= since), default=0.0)

    def _run(self) -> None:
        try:
            with self._backend.open({}) as session:
                session.put([File("/home/agent/mine", "my file\n"), File("/srv/ours", "our file\n", owner="root")])
                session.run("mine=variable", 20)
                while not self._over.is_set() and not self._trouble:
                    started = time.monotonic()
                    turn = session.run("echo $mine $(cat mine /srv/ours) $(ls | wc -l)", 20)
                    self._answers.append((started, time.monotonic() - started))
                    if turn != ShellTurn("variable my file our file 1\n", "ready", 0):
                        self._trouble = repr(turn)
                    self._answered.set()
                    self._over.wait(0.05)
        except Exception as error:
            self._trouble = repr(error)
            self._answered.set()


class Listener:
    """Counts connections to the host's loopback and to an abstract socket."""

    def __enter__(self) -> "Listener":
        self.reached = 0
        self._sockets = []
        for family, address in ((socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_UNIX, ABSTRACT)):
            listening = socket.socket(family, socket.SOCK_STREAM)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen()
            self._sockets.append(listening)
            threading.Thread(target=self._count, args=[listening], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for listening in self._sockets:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _count(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                listening.accept()[0].close()
                self.reached += 1


def _type(session: Session, attack: Attack) -> Iterator[ShellTurn]:
    for text in attack.texts:
        turn = session.run(text, attack.timeout_s)
        yield turn
        if turn.kind not in ("ready", "more"):
            return


def _children() -> set[int]:
    """The child processes of this one."""
    return {process.pid for process in psutil.Process().children()}

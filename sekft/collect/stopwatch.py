"""Where the time of a series goes: seconds by phase, summed over the workers; never part of the data."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from sekft.episode.agent import Agent
from sekft.rendering.messages import Message, Reply
from sekft.sandbox.session import Backend, CheckResult, File, Session, ShellTurn


class Stopwatch:
    """Phases: what its owner measures; of a timed backend and agent: open, put, type, check, leave, reply."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] += time.monotonic() - start  # type: ignore[assignment]

    def rounded(self) -> dict[str, float]:
        return {name: round(seconds, 3) for name, seconds in sorted(self.seconds.items())}


class TimedBackend:
    """Fits Backend."""

    def __init__(self, backend: Backend, watch: Stopwatch) -> None:
        self.name, self.settings, self.digest = backend.name, backend.settings, backend.digest
        self._backend, self._watch = backend, watch

    @contextmanager
    def open(self, environment: Mapping[str, str]) -> Iterator["TimedSession"]:
        with ExitStack() as stack:
            with self._watch.phase("open"):
                session = stack.enter_context(self._backend.open(environment))
            yield TimedSession(session, self._watch)
            with self._watch.phase("leave"):
                stack.close()


class TimedSession:
    """Fits Place."""

    def __init__(self, session: Session, watch: Stopwatch) -> None:
        self._session, self._watch = session, watch

    def put(self, files: Sequence[File]) -> None:
        with self._watch.phase("put"):
            self._session.put(files)

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        with self._watch.phase("type"):
            return self._session.run(text, timeout_s)

    def check(self, script: str, timeout_s: float) -> CheckResult:
        with self._watch.phase("check"):
            return self._session.check(script, timeout_s)


class TimedAgent:
    """Fits Agent."""

    def __init__(self, agent: Agent, watch: Stopwatch) -> None:
        self.name = agent.name
        self._agent, self._watch = agent, watch

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        with self._watch.phase("reply"):
            return self._agent.reply(episode_id, messages)

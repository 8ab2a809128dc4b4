"""Where the time of a series goes: seconds by phase, summed over the workers; never part of the data."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from sekft.episode.agent import Operator
from sekft.rendering.messages import Message, Reply
from sekft.sandbox.session import Backend, Checked, File, Place, Turn


class Stopwatch:
    """Phases: what its owner measures; of a timed backend and operator: open, put, type, check, leave, reply."""

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
    def open(self, environment: Mapping[str, str]) -> Iterator["TimedPlace"]:
        with ExitStack() as stack:
            with self._watch.phase("open"):
                place = stack.enter_context(self._backend.open(environment))
            yield TimedPlace(place, self._watch)
            with self._watch.phase("leave"):
                stack.close()


class TimedPlace:
    """Fits Place."""

    def __init__(self, place: Place, watch: Stopwatch) -> None:
        self._place, self._watch = place, watch

    def put(self, files: Sequence[File]) -> None:
        with self._watch.phase("put"):
            self._place.put(files)

    def run(self, text: str, timeout_s: float) -> Turn:
        with self._watch.phase("type"):
            return self._place.run(text, timeout_s)

    def check(self, script: str, timeout_s: float) -> Checked:
        with self._watch.phase("check"):
            return self._place.check(script, timeout_s)


class TimedOperator:
    """Fits Operator."""

    def __init__(self, operator: Operator, watch: Stopwatch) -> None:
        self.name = operator.name
        self._operator, self._watch = operator, watch

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        with self._watch.phase("reply"):
            return self._operator.reply(life_id, messages)

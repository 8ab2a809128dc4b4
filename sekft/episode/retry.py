"""A broken episode is played once more, beside a canary: a place that tells whose fault it is if it breaks again."""

import contextlib
import logging
import time
from collections.abc import Callable
from threading import Event

from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.errors import SandboxError
from sekft.sandbox.session import Backend, Session

BACK_S = 20.0  # for all episodes of a series together: an engine that is restarted answers after 1 to 5 s
_PAUSE_S = 0.5
_ANSWER_S = 10.0
log = logging.getLogger("sekft")


class Again:
    """For one series. Waits for places to be had again, but not episode after episode for an engine that does not come back."""

    def __init__(self, backend: Backend, stop: Event) -> None:
        self._backend, self._stop = backend, stop
        self._given_up = Event()

    def live(self, play: Callable[[], Trajectory], first: Trajectory) -> Trajectory:
        """What the episode amounts to in a fresh place. Broken while the canary played on: it breaks its places itself, and has lost."""
        log.info("%s broke (%s): played once more", first.id, first.reason)
        with contextlib.ExitStack() as stack:
            canary = self._canary(stack)
            second = play()
            if second.ending is not Ending.broken or canary is None or not _answers(canary):
                return second
        reason = f"its place broke twice, another beside it did not: {second.reason}"
        return second.model_copy(update={"ending": Ending.lost, "outcome": Outcome.ran_out, "reason": reason})

    def _canary(self, stack: contextlib.ExitStack) -> Session | None:
        """The first place that can be had and answers; left with the stack. None: nothing came in time."""
        end = time.monotonic() + BACK_S
        while not self._stop.is_set():
            with contextlib.suppress(SandboxError):
                session = stack.enter_context(self._backend.open({}))
                if _answers(session):
                    return session
            stack.close()
            if self._given_up.is_set() or time.monotonic() > end:
                self._given_up.set()
                return None
            self._stop.wait(_PAUSE_S)
        return None


def _answers(session: Session) -> bool:
    return session.run("true", _ANSWER_S).kind == "ready"

"""The second attempt at a broken episode, beside a canary session that shows whether the agent or the sandbox is at fault."""

import contextlib
import logging
import time
from collections.abc import Callable
from threading import Event

from sekft.episode.answers import PASSING_TROUBLE
from sekft.episode.outcome import TROUBLE
from sekft.episode.stop import Stop
from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.errors import SandboxError
from sekft.sandbox.session import Backend, Session

RECOVERY_S = 20.0  # for all episodes of a call together; an engine that is restarted answers after 1 to 5 s
_PAUSE_S = 0.5
_ANSWER_S = 10.0
log = logging.getLogger("sekft")


class Retry:
    """Plays broken episodes once more, for one call of play_many.

    It waits for the backend to work again, but not anew for every episode once the backend did not come back within RECOVERY_S.
    """

    def __init__(self, backend: Backend, stop: Stop) -> None:
        self._backend, self._stop = backend, stop
        self._given_up = Event()

    def run(self, play: Callable[[], Trajectory], first: Trajectory) -> Trajectory:
        """The trajectory of a second attempt in a fresh session. Raises Stopped.

        If that breaks, too, while the canary goes on, the agent breaks its sessions: the ending becomes `lost`. An agent that could not
        reply breaks no session; it is asked again only if its trouble may pass.
        """
        if TROUBLE in first.meta and first.meta[TROUBLE] not in PASSING_TROUBLE:
            return first
        log.info("%s broke (%s): played once more", first.id, first.reason)
        if TROUBLE in first.meta:
            return play()
        with contextlib.ExitStack() as stack:
            canary = self._canary(stack)
            second = play()
            if TROUBLE in second.meta or second.ending is not Ending.broken or canary is None or not _answers(canary):
                return second
        reason = f"its session broke twice, another one beside it did not: {second.reason}"
        return second.model_copy(update={"ending": Ending.lost, "outcome": Outcome.ran_out, "reason": reason})

    def _canary(self, stack: contextlib.ExitStack) -> Session | None:
        """The first session that opens and answers, closed by stack; None if there is none in time."""
        end = time.monotonic() + RECOVERY_S
        while True:
            self._stop.require_not_set()
            with contextlib.suppress(SandboxError):
                session = stack.enter_context(self._backend.open({}))
                stack.enter_context(self._stop.ending(session))
                if _answers(session):
                    return session
            stack.close()
            if self._given_up.is_set() or time.monotonic() > end:
                self._given_up.set()
                return None
            self._stop.wait(_PAUSE_S)


def _answers(session: Session) -> bool:
    return session.run("true", _ANSWER_S).kind == "ready"

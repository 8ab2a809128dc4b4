"""Progress in a log: a plain line now and then where standard output is no terminal, as under nohup, in CI or in a batch system."""

import time
from collections.abc import Callable

INTERVAL_S = 30.0


class ProgressLines:
    """Prints `train 104/618, 0:00:30, 0:02:28 left, loss 0.193` at most every interval_s, and nothing for work that is over sooner.

    shown: False at a terminal, where a bar is redrawn instead. clock: in seconds.
    """

    def __init__(self, title: str, shown: bool, interval_s: float = INTERVAL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._shown, self._interval_s, self._clock = title, shown, interval_s, clock
        self._began = self._printed = clock()
        self._first: int | None = None  # done when this process began, as a training that is resumed goes on from its checkpoint

    def update(self, done: int, total: int, note: str = "") -> None:
        """done: of `total` steps or episodes. note: what else is known, such as the loss."""
        if self._first is None:
            self._first = done
        now = self._clock()
        if not self._shown or now - self._printed < self._interval_s or done >= total:
            return
        self._printed = now
        taken_s, worked = now - self._began, done - self._first
        left = f"{_duration(taken_s / worked * (total - done))} left" if worked else ""
        print(", ".join(part for part in (f"{self._title} {done}/{total}", _duration(taken_s), left, note) if part), flush=True)


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds: 0:02:28."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"

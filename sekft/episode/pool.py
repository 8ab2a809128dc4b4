"""Many lives at once: bounded threads, bundle order kept, a progress line, broken lives lived once more."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from sekft.config import EvalConfig
from sekft.episode.agent import Operator
from sekft.episode.play import Stopped, not_lived, play
from sekft.episode.retry import Again
from sekft.episode.trajectory import Ending, Trajectory
from sekft.sandbox.session import Backend
from sekft.scenario.document import Bundle
from sekft.tracking import heartbeat

BAR_WIDTH = 120  # columns of a terminal that has room for a bar beside the numbers
Life = tuple[Bundle, Operator, int]  # who lives where, which attempt


@dataclass
class Tally:
    """What the progress line counts."""

    living: int = 0
    lived: int = 0
    ended: int = 0
    kept: int = 0
    since_s: float = field(default_factory=time.monotonic)

    def count(self, life: Trajectory) -> None:
        self.living -= 1
        self.lived += 1
        self.ended += life.ending in (Ending.exit, Ending.panic)
        self.kept += life.kept

    def line(self, tokens: int | None) -> str:
        """tokens: generated so far; None where nobody counts them."""
        seconds = max(time.monotonic() - self.since_s, 1e-9)
        speeds = [] if tokens is None else [f"{tokens / seconds:,.0f} tokens/s"]
        speeds.append(f"{self.lived / seconds:.1f} lives/s")
        return ", ".join([f"living {self.living}", f"ended {self.ended}", f"verified {self.kept}", *speeds])


def play_many(
    lives: Sequence[Life],
    backend: Backend,
    limits: EvalConfig,
    workers: int = 0,
    title: str = "lives",
    done: Callable[[Trajectory], None] | None = None,
    tokens: Callable[[], int | None] = lambda: None,
) -> list[Trajectory]:
    """The lives' trajectories in the order given. workers 0: twice the cores.

    done: called once per finished life, from one thread at a time; tokens: generated so far, for the progress line.
    On Ctrl-C every place is left before it is raised. Lives that limits.max_exam_s leaves no time for are broken.
    """
    stop, lock, tally = Event(), threading.Lock(), Tally()
    pool = ThreadPoolExecutor(workers or 2 * (os.cpu_count() or 1), thread_name_prefix="life")
    with _overtime(limits.max_exam_s, stop) as late, pool, _progress(title, lives, lambda: tally.line(tokens())) as tell:
        again = Again(backend, stop)

        def one(life: Life) -> Trajectory:
            with lock:
                tally.living += 1
            once = partial(_once, life, backend, limits, stop, late)
            trajectory = once()
            if trajectory.ending is Ending.broken and not late.is_set():
                trajectory = again.live(once, trajectory)
            with lock:
                tally.count(trajectory)
                if done is not None:
                    done(trajectory)
            return trajectory

        futures = [pool.submit(one, life) for life in lives]
        try:
            _wait(futures, lambda: tell(tally.lived))
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _once(life: Life, backend: Backend, limits: EvalConfig, stop: Event, late: Event) -> Trajectory:
    bundle, operator, attempt = life
    try:
        return not_lived(bundle, operator, attempt) if late.is_set() else play(bundle, operator, backend, limits, attempt, stop)
    except Stopped:
        if late.is_set():
            return not_lived(bundle, operator, attempt)
        raise


@contextmanager
def _overtime(limit_s: float, stop: Event) -> Iterator[Event]:
    """Set, as is stop, once limit_s are over; 0: never."""
    late = Event()

    def over() -> None:
        late.set()
        stop.set()

    timer = threading.Timer(limit_s, over) if limit_s else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        if timer:
            timer.cancel()


def _wait(futures: Sequence[Future[Trajectory]], tell: Callable[[], None]) -> None:
    """Until all are done or one fails; in short waits, so that Ctrl-C is heard, and tell is called after each."""
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
        tell()
        for future in finished:
            future.result()


@contextmanager
def _progress(title: str, lives: Sequence[Life], note: Callable[[], str]) -> Iterator[Callable[[int], None]]:
    """To be called with the lives that are over. At a terminal it is drawn over and over; elsewhere its last state is one line."""
    columns: list[ProgressColumn] = [TextColumn(title), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[note]}")]
    if get_console().width >= BAR_WIDTH:
        columns.insert(1, BarColumn())
    with Progress(*columns, disable=not lives) as bar:
        task = bar.add_task(title, total=len(lives), note="")

        def tell(lived: int) -> None:
            bar.update(task, completed=lived, note=note())
            heartbeat.progress(lived, len(lives), "lives")

        yield tell

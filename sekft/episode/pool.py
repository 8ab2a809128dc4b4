"""Many episodes at once: bounded threads, scenario order kept, a progress line, broken episodes played once more."""

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
from sekft.episode.agent import Agent
from sekft.episode.play import Stopped, not_played, play
from sekft.episode.retry import Again
from sekft.episode.trajectory import Ending, Trajectory
from sekft.sandbox.session import Backend
from sekft.scenario.document import Scenario
from sekft.tracking import heartbeat

BAR_WIDTH = 120  # columns of a terminal that has room for a bar beside the numbers
Episode = tuple[Scenario, Agent, int]  # who episodes where, which attempt


@dataclass
class Tally:
    """What the progress line counts."""

    running: int = 0
    played: int = 0
    ended: int = 0
    kept: int = 0
    since_s: float = field(default_factory=time.monotonic)

    def count(self, episode: Trajectory) -> None:
        self.running -= 1
        self.played += 1
        self.ended += episode.ending in (Ending.exit, Ending.panic)
        self.kept += episode.kept

    def line(self, tokens: int | None) -> str:
        """tokens: generated so far; None where nobody counts them."""
        seconds = max(time.monotonic() - self.since_s, 1e-9)
        speeds = [] if tokens is None else [f"{tokens / seconds:,.0f} tokens/s"]
        speeds.append(f"{self.played / seconds:.1f} episodes/s")
        return ", ".join([f"running {self.running}", f"ended {self.ended}", f"verified {self.kept}", *speeds])


def play_many(
    episodes: Sequence[Episode],
    backend: Backend,
    config: EvalConfig,
    workers: int = 0,
    title: str = "episodes",
    done: Callable[[Trajectory], None] | None = None,
    tokens: Callable[[], int | None] = lambda: None,
) -> list[Trajectory]:
    """The episodes' trajectories in the order given. workers 0: twice the cores.

    done: called once per finished episode, from one thread at a time; tokens: generated so far, for the progress line.
    On Ctrl-C every place is left before it is raised. Episodes that limits.max_eval_s leaves no time for are broken.
    """
    stop, lock, tally = Event(), threading.Lock(), Tally()
    pool = ThreadPoolExecutor(workers or 2 * (os.cpu_count() or 1), thread_name_prefix="episode")
    with _overtime(config.max_eval_s, stop) as late, pool, _progress(title, episodes, lambda: tally.line(tokens())) as tell:
        again = Again(backend, stop)

        def one(episode: Episode) -> Trajectory:
            with lock:
                tally.running += 1
            once = partial(_once, episode, backend, config, stop, late)
            trajectory = once()
            if trajectory.ending is Ending.broken and not late.is_set():
                trajectory = again.live(once, trajectory)
            with lock:
                tally.count(trajectory)
                if done is not None:
                    done(trajectory)
            return trajectory

        futures = [pool.submit(one, episode) for episode in episodes]
        try:
            _wait(futures, lambda: tell(tally.played))
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _once(episode: Episode, backend: Backend, config: EvalConfig, stop: Event, late: Event) -> Trajectory:
    scenario, agent, attempt = episode
    try:
        return not_played(scenario, agent, attempt) if late.is_set() else play(scenario, agent, backend, config, attempt, stop)
    except Stopped:
        if late.is_set():
            return not_played(scenario, agent, attempt)
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
def _progress(title: str, episodes: Sequence[Episode], note: Callable[[], str]) -> Iterator[Callable[[int], None]]:
    """To be called with the episodes that are over. At a terminal it is drawn over and over; elsewhere its last state is one line."""
    columns: list[ProgressColumn] = [TextColumn(title), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[note]}")]
    if get_console().width >= BAR_WIDTH:
        columns.insert(1, BarColumn())
    with Progress(*columns, disable=not episodes) as bar:
        task = bar.add_task(title, total=len(episodes), note="")

        def tell(played: int) -> None:
            bar.update(task, completed=played, note=note())
            heartbeat.progress(played, len(episodes), "episodes")

        yield tell

"""Many episodes at once: bounded threads, results in the order of the requests, a progress line, broken episodes played once more."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event

from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from sekft.config import EvalConfig
from sekft.episode.agent import Agent, Cancellable
from sekft.episode.play import play, record_unplayed
from sekft.episode.retry import Retry
from sekft.episode.stop import Stop
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import Stopped
from sekft.sandbox.session import Backend
from sekft.scenario.document import Scenario
from sekft.tracking import heartbeat
from sekft.tracking.progress import ProgressLines
from sekft.tracking.signals import deferred

REFRESH_S = 0.2  # of the progress line
BAR_WIDTH = 120  # columns of a terminal that has room for a bar beside the numbers
BAR_COLUMNS = 41  # of the bar, with a blank


@dataclass(frozen=True)
class EpisodeRequest:
    """One episode to be played. attempt: from 0, tells episodes of one agent in one scenario apart."""

    scenario: Scenario
    agent: Agent
    attempt: int = 0


@dataclass
class Tally:
    """The counts of the progress line."""

    running: int = 0
    played: int = 0
    ended: int = 0
    kept: int = 0
    since_s: float = field(default_factory=time.monotonic)

    def count(self, trajectory: Trajectory) -> None:
        self.running -= 1
        self.played += 1
        self.ended += trajectory.ending in (Ending.exit, Ending.panic)
        self.kept += trajectory.kept

    def line(self, tokens: int | None, width: int) -> str:
        """As many of the counts as fit into so many columns. tokens: generated so far; None where they are not counted."""
        seconds = max(time.monotonic() - self.since_s, 1e-9)
        speeds = [] if tokens is None else [f"{tokens / seconds:,.0f} tokens/s"]
        speeds.append(f"{self.played / seconds:.1f} episodes/s")
        parts = [f"ended {self.ended}", f"verified {self.kept}", *speeds, f"running {self.running}"]
        while len(parts) > 1 and len(", ".join(parts)) > width:
            parts.pop()
        return ", ".join(parts)


def play_many(
    requests: Sequence[EpisodeRequest],
    backend: Backend,
    config: EvalConfig,
    workers: int = 0,
    title: str = "episodes",
    done: Callable[[Trajectory], None] | None = None,
    tokens: Callable[[], int | None] = lambda: None,
) -> list[Trajectory]:
    """Play all requests; the trajectories come in their order. workers 0: twice the cores.

    done: called once per finished episode, never by two threads at once; tokens: generated so far, for the progress line.
    Episodes that config.max_eval_s leaves no time for are recorded as broken. On Ctrl-C, SIGTERM or an error replies end within a token,
    and every sandbox ends before the exception is raised; episodes that were not over are not recorded.
    """
    stop, lock, tally = Stop(), threading.Lock(), Tally()

    def cancel() -> None:
        stop.set()
        for request in requests:
            if isinstance(request.agent, Cancellable):
                request.agent.cancel()

    pool = ThreadPoolExecutor(workers or 2 * (os.cpu_count() or 1), thread_name_prefix="episode")
    with (
        _time_limit(config.max_eval_s, cancel) as late,
        pool,
        _progress(title, len(requests), lambda width: tally.line(tokens(), width)) as update,
    ):
        retry = Retry(backend, stop)

        def play_one(request: EpisodeRequest) -> Trajectory:
            with lock:
                tally.running += 1
            once = partial(_play_once, request, backend, config, stop, late)
            trajectory = once()
            if trajectory.ending is Ending.broken and not late.is_set():
                trajectory = retry.run(once, trajectory)
            with lock:
                tally.count(trajectory)
                if done is not None:
                    done(trajectory)
            return trajectory

        over: SimpleQueue[Future[Trajectory] | None] = SimpleQueue()  # None: a signal came
        try:
            with deferred(lambda: over.put(None)) as handle_signals:
                try:
                    futures = [pool.submit(play_one, request) for request in requests]
                    for future in futures:
                        future.add_done_callback(over.put)
                    _wait(over, len(futures), handle_signals, lambda: update(tally.played))
                except BaseException:
                    cancel()
                    raise
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _play_once(request: EpisodeRequest, backend: Backend, config: EvalConfig, stop: Stop, late: Event) -> Trajectory:
    unplayed = partial(record_unplayed, request.scenario, request.agent, request.attempt)
    try:
        return unplayed() if late.is_set() else play(request.scenario, request.agent, backend, config, request.attempt, stop)
    except Stopped:
        if late.is_set():
            return unplayed()
        raise


@contextmanager
def _time_limit(limit_s: float, cancel: Callable[[], None]) -> Iterator[Event]:
    """An event that is set once limit_s are over, before cancel is called; 0: never."""
    late = Event()

    def over() -> None:
        late.set()
        cancel()

    timer = threading.Timer(limit_s, over) if limit_s else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        if timer:
            timer.cancel()


def _wait(over: SimpleQueue[Future[Trajectory] | None], left: int, handle_signals: Callable[[], None], update: Callable[[], None]) -> None:
    """Take so many futures from the queue, calling update after each and every REFRESH_S. Raises the error of the first that failed."""
    while left:
        try:
            future = over.get(timeout=REFRESH_S)
        except Empty:
            future = None
        handle_signals()
        if future is not None:
            future.result()
            left -= 1
        update()


@contextmanager
def _progress(title: str, total: int, note: Callable[[int], str]) -> Iterator[Callable[[int], None]]:
    """A function that takes the number of finished episodes. A terminal shows a line that is redrawn.

    Anything else gets a plain line now and then, and the last state.

    note: a text of at most so many columns.
    """
    rest = get_console().width - len(f"{title} {total}/{total} 0:00:00 ") - (BAR_COLUMNS if get_console().width >= BAR_WIDTH else 0)
    columns: list[ProgressColumn] = [TextColumn(title), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[note]}")]
    if get_console().width >= BAR_WIDTH:
        columns.insert(1, BarColumn())
    with Progress(*columns, disable=not total) as bar:
        task, lines = bar.add_task(title, total=total, note=""), ProgressLines(title, not bar.console.is_terminal)

        def update(played: int) -> None:
            text = note(rest)
            bar.update(task, completed=played, note=text)
            lines.update(played, total, text)
            heartbeat.progress(played, total, "episodes")

        yield update

"""Many lives at once: bounded threads, bundle order kept, a progress line, broken lives lived once more."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sekft.config import EvalConfig
from sekft.rollout.again import Again
from sekft.rollout.operator import Operator
from sekft.rollout.play import play
from sekft.rollout.trajectory import Ending, Trajectory
from sekft.sandbox.place import Backend
from sekft.scenario.bundle import Bundle

Life = tuple[Bundle, Operator, int]  # who lives where, which attempt


def play_many(
    lives: Sequence[Life],
    backend: Backend,
    limits: EvalConfig,
    workers: int = 0,
    title: str = "lives",
    done: Callable[[Trajectory], None] | None = None,
) -> list[Trajectory]:
    """The lives' trajectories in the order given. workers 0: twice the cores.

    done: called once per finished life, from one thread at a time. On Ctrl-C every place is left before it is raised.
    """
    stop, lock = Event(), threading.Lock()
    again = Again(backend, stop)
    with ThreadPoolExecutor(workers or 2 * (os.cpu_count() or 1), thread_name_prefix="life") as pool, _progress() as bar:
        task = bar.add_task(title, total=len(lives), note="")
        tally = {"kept": 0, "ended": 0}

        def one(life: Life) -> Trajectory:
            bundle, operator, attempt = life
            once = partial(play, bundle, operator, backend, limits, attempt, stop)
            trajectory = once()
            if trajectory.ending is Ending.broken:
                trajectory = again.live(once, trajectory)
            with lock:
                tally["ended"] += trajectory.ending in (Ending.exit, Ending.panic)
                tally["kept"] += trajectory.kept
                if done is not None:
                    done(trajectory)
                bar.update(task, advance=1, note=f"ended {tally['ended']}, verified {tally['kept']}")
            return trajectory

        futures = [pool.submit(one, life) for life in lives]
        try:
            _wait(futures)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _wait(futures: Sequence[Future[Trajectory]]) -> None:
    """Until all are done or one fails; in short waits, so that Ctrl-C is heard."""
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
        for future in finished:
            future.result()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )

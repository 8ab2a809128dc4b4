"""Reference episodes while their engine, a dockerd of the test, is killed, restarted and stopped: none is lost or counted twice.

python -m tests.sandbox.chaos episodes=200 kills=10 workers=4 seed=0
"""

import contextlib
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import psutil

from sekft.config import EvalConfig, SandboxConfig, SplitConfig
from sekft.episode.agent import reference
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.sandbox.backend import engine
from sekft.sandbox.backend.docker import DockerBackend
from sekft.scenario.split import scenarios
from tests.dockerd import dockerd

SPLIT = SplitConfig(name="archetype", held_out=["move", "sort"])
STOPPED_S = 5.0
RECOVERY_S = 30.0


class Daemon:
    """The dockerd behind a host of tests.dockerd, to be killed, started anew as it was, and stopped."""

    def __init__(self, host: str) -> None:
        self._folder = Path(host.removeprefix("unix://")).parent
        self._arguments = {"base_url": host}
        self._host = host
        self.process = psutil.Process(self._pid())
        self._command = self.process.cmdline()
        self._restarted: subprocess.Popen[bytes] | None = None

    def _pid(self) -> int:
        return int((self._folder / "pid").read_text())

    def kill(self) -> None:
        """Kill it and its containerd, and wait for both; the processes of its containers go on."""
        family = [self.process, *(child for child in self.process.children() if child.name() == "containerd")]
        self.process.kill()
        for process in family:
            _await(partial(_gone, process))
        if self._restarted:
            self._restarted.wait()
        for left in ("pid", "exec/containerd/containerd.pid"):  # with them a new one refuses to start
            (self._folder / left).unlink(missing_ok=True)

    def start(self) -> float:
        """Start it and wait until it answers. Returns the seconds that took."""
        started = time.monotonic()
        with (self._folder / "log").open("ab") as log:
            # ends with this thread, and its containers with it
            self._restarted = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self._command], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        _await(self._answers)
        self.process = psutil.Process(self._pid())
        return time.monotonic() - started

    def end(self) -> None:
        """End it with all its containers, if start() was called."""
        if self._restarted and self._restarted.poll() is None:
            self._restarted.terminate()
            self._restarted.wait(30)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        self.process.suspend()
        try:
            yield
        finally:
            self.process.resume()

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            engine.probe(self._host, dict(self._arguments))
            return True
        return False


def _gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _await(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + RECOVERY_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"the engine's processes did not change as expected within {RECOVERY_S:.0f} s")
        time.sleep(0.05)


@dataclass
class Report:
    """The results of the episodes and of the engine."""

    episodes: list[Trajectory]
    counted: list[str]  # ids, as `done` was called
    retried: list[str]  # log lines
    kills: int
    restart_s: list[float]
    seconds: float
    containers_left: int

    def faults(self) -> Iterator[str]:
        ids = [episode.id for episode in self.episodes]
        if sorted(self.counted) != sorted(ids) or len(set(ids)) != len(ids):
            yield f"{len(ids)} episodes, {len(set(ids))} different ones, {len(self.counted)} counted"
        for episode in self.episodes:
            if episode.ending is Ending.broken and not any(line.startswith(f"{episode.id} ") for line in self.retried):
                yield f"{episode.id} is broken and was not played again: {episode.reason}"
            if episode.ending is not Ending.broken and not episode.kept:
                result = f"{episode.ending.value}, {episode.outcome.value} ({episode.reason})"
                yield f"{episode.id}: {result}, but the reference verifies in every scenario"
        if self.containers_left:
            yield f"{self.containers_left} containers are left"


class _RetryLog(logging.Handler):
    """Collects the log lines of episodes that are played once more."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "played once more" in record.getMessage():
            self.lines.append(record.getMessage())


def chaos(episodes: int, kills: int, workers: int, seed: int = 0) -> Report:
    """Kill the engine `kills` times and stop it once, at equal distances in finished episodes."""
    random, retry_log, counted = Random(seed), _RetryLog(), list[str]()
    drawn = scenarios(SPLIT, "all")
    agent = reference(drawn)
    requests = [EpisodeRequest(drawn[index % len(drawn)], agent, index // len(drawn)) for index in range(episodes)]
    config = EvalConfig(max_turns=40)
    with dockerd() as host, ThreadPoolExecutor(1) as beside:
        backend = DockerBackend(SandboxConfig(), engine.probe(host, {"base_url": host}))
        daemon, took_s, started = Daemon(host), list[float](), time.monotonic()
        logger = logging.getLogger("sekft")
        logger.addHandler(retry_log)
        logger.setLevel(logging.INFO)
        try:
            series = beside.submit(play_many, requests, backend, config, workers, "chaos", lambda episode: counted.append(episode.id))
            for number in range(kills):
                _reach(series.done, counted, (number + 1) * episodes // (kills + 2))
                time.sleep(random.uniform(0, 1))
                daemon.kill()
                time.sleep(random.uniform(0, 2))
                took_s.append(daemon.start())
                if number == kills // 2:
                    _reach(series.done, counted, (number + 1.5) * episodes / (kills + 2))
                    with daemon.stopped():
                        time.sleep(STOPPED_S)
            played = series.result()
            seconds = time.monotonic() - started
            left = _left(backend)
        finally:
            logger.removeHandler(retry_log)
            daemon.end()
    return Report(played, counted, retry_log.lines, kills, took_s, seconds, left)


def _reach(over: Callable[[], bool], counted: Sequence[str], amount: float) -> None:
    while not over() and len(counted) < amount:
        time.sleep(0.02)


def _left(backend: DockerBackend) -> int:
    """Containers of any state that are left after a while: an engine removes them with a delay."""
    api = backend.engine.client().api
    end = time.monotonic() + 20
    while (left := len(api.containers(all=True))) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def main(arguments: Sequence[str]) -> int:
    given = {"episodes": "200", "kills": "10", "workers": "4", "seed": "0"} | dict(argument.split("=", 1) for argument in arguments)
    report = chaos(int(given["episodes"]), int(given["kills"]), int(given["workers"]), int(given["seed"]))
    endings = Counter(episode.ending.value for episode in report.episodes)
    counts = ", ".join(f"{ending} {count}" for ending, count in sorted(endings.items()))
    verified, slowest_s = sum(episode.kept for episode in report.episodes), max(report.restart_s, default=0)
    print("\n".join(report.faults()))
    print(f"{len(report.episodes)} episodes in {report.seconds:.0f} s, {report.kills} kills, one stop of {STOPPED_S:.0f} s")
    print(f"  endings: {counts}; verified {verified}; counted {len(report.counted)}")
    print(f"  played once more: {len(report.retried)}; still broken: {endings['broken']}")
    print(f"  the engine's slowest restart: {slowest_s:.1f} s; containers left: {report.containers_left}")
    for episode in report.episodes:
        if episode.ending is Ending.broken:
            print(f"  {episode.id}: {episode.reason[:160]}")
    return 1 if any(report.faults()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A broken episode is played once more, and whose fault it is when it breaks again is known."""

import contextlib
import time
from collections.abc import Callable, Sequence

import psutil
import pytest

from sekft.config import Backend as Kind
from sekft.config import EvalConfig, SandboxConfig, SplitConfig
from sekft.episode import retry
from sekft.episode.agent import reference
from sekft.episode.pool import play_many
from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.rendering.messages import Message, Reply
from sekft.sandbox import choose
from sekft.scenario.document import Scenario
from sekft.scenario.split import scenarios

SCENARIO = scenarios(SplitConfig(name="archetype", held_out=["move", "sort"], train_scenarios=4, eval_scenarios=4), "all")[0]


class Saboteur:
    """The reference, but before its first command of each of the first `times` episodes it has places killed from outside."""

    name = "saboteur"

    def __init__(self, scenario: Scenario, times: int, chosen: Callable[[list[psutil.Process]], list[psutil.Process]]) -> None:
        self._reference, self._left, self._chosen = reference([scenario]), times, chosen

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        if len(messages) == 1 and self._left:
            self._left -= 1
            sessions = sorted(psutil.Process().children(), key=lambda process: process.create_time())
            end(
                [
                    process
                    for session in self._chosen([session for session in sessions if session.name() == "bwrap"])
                    for process in tree(session)
                ]
            )
        return self._reference.reply(episode_id, messages)


def tree(session: psutil.Process) -> list[psutil.Process]:
    return [session, *session.children(recursive=True)]


def end(processes: list[psutil.Process]) -> None:
    """Kill them, and wait until none of them can answer any more; they are reaped by whom they belong to."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.005)


def everything(sessions: list[psutil.Process]) -> list[psutil.Process]:
    return sessions


def the_newest(sessions: list[psutil.Process]) -> list[psutil.Process]:
    return sessions[-1:]


def live(times: int, chosen: Callable[[list[psutil.Process]], list[psutil.Process]]) -> Trajectory:
    backend = choose.backend(SandboxConfig(backend=Kind.bwrap))
    counted: list[Trajectory] = []
    episodes = [(SCENARIO, Saboteur(SCENARIO, times, chosen), 0)]
    (episode,) = play_many(episodes, backend, EvalConfig(max_turns=40), workers=1, done=counted.append)
    assert counted == [episode]
    return episode


def test_a_episode_that_broke_once_is_played_again_and_counts_once() -> None:
    assert live(1, everything).outcome is Outcome.verified


def test_a_episode_that_breaks_with_all_around_it_is_broken() -> None:
    episode = live(2, everything)
    assert (episode.ending, episode.outcome, episode.checked) == (Ending.broken, Outcome.broken, None)


def test_a_episode_that_breaks_twice_while_another_place_goes_on_has_lost() -> None:
    episode = live(2, the_newest)
    assert (episode.ending, episode.outcome, episode.kept) == (Ending.lost, Outcome.ran_out, False)
    assert "twice" in episode.reason


def test_a_series_does_not_wait_for_ever_for_places_that_do_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from sekft.sandbox.backend import control

    backend = choose.backend(SandboxConfig(backend=Kind.bwrap))
    monkeypatch.setattr(retry, "BACK_S", 0.3)
    monkeypatch.setattr(control, "SCRIPT", control.SCRIPT.with_name("nowhere.sh"))
    episodes = play_many([(SCENARIO, reference([SCENARIO]), attempt) for attempt in range(4)], backend, EvalConfig(), workers=2)
    assert {episode.ending for episode in episodes} == {Ending.broken}

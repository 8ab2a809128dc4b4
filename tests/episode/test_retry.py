"""A broken episode is played once more; a second break is the agent's failure only if another session goes on."""

import contextlib
import time
from collections.abc import Callable, Sequence

import psutil
import pytest

from sekft.config import BackendKind, EvalConfig, SandboxConfig, SplitConfig
from sekft.episode import retry
from sekft.episode.agent import reference
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.rendering.messages import Message, Reply
from sekft.sandbox import choose
from sekft.scenario.document import Scenario
from sekft.scenario.split import scenarios

SCENARIO = scenarios(SplitConfig(name="archetype", held_out=["move", "sort"], train_scenarios=4, eval_scenarios=4), "all")[0]


class Saboteur:
    """The reference; before its first command in each of the first `times` episodes it kills the sandboxes that choose_sandboxes picks."""

    name = "saboteur"

    def __init__(self, scenario: Scenario, times: int, choose_sandboxes: Callable[[list[psutil.Process]], list[psutil.Process]]) -> None:
        self._reference, self._left, self._choose = reference([scenario]), times, choose_sandboxes

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        if len(messages) == 1 and self._left:
            self._left -= 1
            sessions = sorted(psutil.Process().children(), key=lambda process: process.create_time())
            end(
                [
                    process
                    for session in self._choose([session for session in sessions if session.name() == "bwrap"])
                    for process in family(session)
                ]
            )
        return self._reference.reply(episode_id, messages)


def family(session: psutil.Process) -> list[psutil.Process]:
    return [session, *session.children(recursive=True)]


def end(processes: list[psutil.Process]) -> None:
    """Kill them, and wait until none of them runs; their own parents reap them."""
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


def play_sabotaged(times: int, choose_sandboxes: Callable[[list[psutil.Process]], list[psutil.Process]]) -> Trajectory:
    backend = choose.backend(SandboxConfig(backend=BackendKind.bwrap))
    counted: list[Trajectory] = []
    episodes = [EpisodeRequest(SCENARIO, Saboteur(SCENARIO, times, choose_sandboxes))]
    (episode,) = play_many(episodes, backend, EvalConfig(max_turns=40), workers=1, done=counted.append)
    assert counted == [episode]
    return episode


def test_an_episode_that_broke_once_is_played_again_and_counts_once() -> None:
    assert play_sabotaged(1, everything).outcome is Outcome.verified


def test_an_episode_that_breaks_twice_together_with_all_others_is_broken() -> None:
    episode = play_sabotaged(2, everything)
    assert (episode.ending, episode.outcome, episode.checked) == (Ending.broken, Outcome.broken, None)


def test_an_episode_that_breaks_twice_while_another_session_goes_on_is_lost() -> None:
    episode = play_sabotaged(2, the_newest)
    assert (episode.ending, episode.outcome, episode.kept) == (Ending.lost, Outcome.ran_out, False)
    assert "twice" in episode.reason


def test_playing_does_not_wait_for_ever_for_sandboxes_that_do_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from sekft.sandbox.backend import control

    backend = choose.backend(SandboxConfig(backend=BackendKind.bwrap))
    monkeypatch.setattr(retry, "RECOVERY_S", 0.3)
    monkeypatch.setattr(control, "SCRIPT", control.SCRIPT.with_name("nowhere.sh"))
    episodes = play_many(
        [EpisodeRequest(SCENARIO, reference([SCENARIO]), attempt) for attempt in range(4)], backend, EvalConfig(), workers=2
    )
    assert {episode.ending for episode in episodes} == {Ending.broken}

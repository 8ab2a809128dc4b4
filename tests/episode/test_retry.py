"""A broken life is lived once more, and whose fault it is when it breaks again is known."""

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
from sekft.scenario.document import Bundle
from sekft.scenario.split import bundles

WORLD = bundles(SplitConfig(name="archetype", held_out=["move", "sort"], train_bundles=4, exam_bundles=4), "all")[0]


class Saboteur:
    """The reference, but before its first command of each of the first `times` lives it has places killed from outside."""

    name = "saboteur"

    def __init__(self, world: Bundle, times: int, chosen: Callable[[list[psutil.Process]], list[psutil.Process]]) -> None:
        self._reference, self._left, self._chosen = reference([world]), times, chosen

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        if len(messages) == 1 and self._left:
            self._left -= 1
            places = sorted(psutil.Process().children(), key=lambda process: process.create_time())
            end([process for place in self._chosen([place for place in places if place.name() == "bwrap"]) for process in tree(place)])
        return self._reference.reply(life_id, messages)


def tree(place: psutil.Process) -> list[psutil.Process]:
    return [place, *place.children(recursive=True)]


def end(processes: list[psutil.Process]) -> None:
    """Kill them, and wait until none of them can answer any more; they are reaped by whom they belong to."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.005)


def everything(places: list[psutil.Process]) -> list[psutil.Process]:
    return places


def the_newest(places: list[psutil.Process]) -> list[psutil.Process]:
    return places[-1:]


def live(times: int, chosen: Callable[[list[psutil.Process]], list[psutil.Process]]) -> Trajectory:
    backend = choose.backend(SandboxConfig(backend=Kind.bwrap))
    counted: list[Trajectory] = []
    lives = [(WORLD, Saboteur(WORLD, times, chosen), 0)]
    (life,) = play_many(lives, backend, EvalConfig(max_turns=40), workers=1, done=counted.append)
    assert counted == [life]
    return life


def test_a_life_that_broke_once_is_lived_again_and_counts_once() -> None:
    assert live(1, everything).outcome is Outcome.verified


def test_a_life_that_breaks_with_all_around_it_is_broken() -> None:
    life = live(2, everything)
    assert (life.ending, life.outcome, life.checked) == (Ending.broken, Outcome.broken, None)


def test_a_life_that_breaks_twice_while_another_place_goes_on_has_lost() -> None:
    life = live(2, the_newest)
    assert (life.ending, life.outcome, life.kept) == (Ending.lost, Outcome.ran_out, False)
    assert "twice" in life.reason


def test_a_series_does_not_wait_for_ever_for_places_that_do_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from sekft.sandbox.backend import control

    backend = choose.backend(SandboxConfig(backend=Kind.bwrap))
    monkeypatch.setattr(retry, "BACK_S", 0.3)
    monkeypatch.setattr(control, "SCRIPT", control.SCRIPT.with_name("nowhere.sh"))
    lives = play_many([(WORLD, reference([WORLD]), attempt) for attempt in range(4)], backend, EvalConfig(), workers=2)
    assert {life.ending for life in lives} == {Ending.broken}

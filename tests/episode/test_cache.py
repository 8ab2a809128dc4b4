"""Trajectories are cached by everything they depend on, unless one of them broke."""

from pathlib import Path

import pytest

from sekft.episode.cache import load, store
from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.rendering.messages import Message


def episode(ending: Ending) -> Trajectory:
    outcome = Outcome.broken if ending is Ending.broken else Outcome.ran_out
    return Trajectory(
        id="w#0@base", scenario_id="w", archetype="copy", agent="base", messages=(Message(role="user", content="$ "),), commands=(),
        ending=ending, checked=None, clean=True, outcome=outcome, kept=False,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_trajectories_are_loaded_unchanged_and_for_the_same_conditions_only() -> None:
    episodes = [episode(Ending.silent), episode(Ending.lost)]
    store("base", {"scenarios": "a", "seed": 0}, episodes)
    assert load("base", {"seed": 0, "scenarios": "a"}) == episodes
    assert load("base", {"seed": 1, "scenarios": "a"}) is None and load("random", {"seed": 0, "scenarios": "a"}) is None


def test_episodes_of_which_one_broke_are_played_again() -> None:
    store("base", {"seed": 0}, [episode(Ending.silent), episode(Ending.broken)])
    assert load("base", {"seed": 0}) is None

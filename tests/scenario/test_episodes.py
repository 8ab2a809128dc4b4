"""One life per archetype and way to be blocked, in a real place; the whole library is for sekft.check."""

import pytest

from sekft.config import Backend as Kind
from sekft.config import EvalConfig, SandboxConfig
from sekft.episode.agent import Scripted, reference
from sekft.episode.pool import play_many
from sekft.episode.show import as_text
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario import cheat, library
from sekft.scenario.task import Blocker

LONG = EvalConfig(max_turns=16)
ROUND = range(3, 32, 4)
WORLDS = [library.make(name, 1) for name in library.archetypes()]
STUCK = [library.make(name, ROUND[position % 8]) for position, name in enumerate(library.archetypes())]


@pytest.fixture(scope="module")
def backend() -> Backend:
    return choose.backend(SandboxConfig(backend=Kind.bwrap))


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_the_reference_verifies_straight_and_noisy_in_every_archetype(backend: Backend, noise: float) -> None:
    worlds = [*WORLDS, *STUCK]
    operator = reference(worlds, noise, seed=1)
    lives = play_many([(world, operator, 0) for world in worlds], backend, LONG, workers=4)
    assert not [as_text(life) for life in lives if not life.kept]


@pytest.mark.parametrize("player", ["touch", "link"])
def test_a_cheat_solves_no_archetype(backend: Backend, player: str) -> None:
    outside = library.make("symlink", 18)  # what it links to lies outside the home
    worlds = [world for world in (*WORLDS, *STUCK, outside) if world.axes.blocker != Blocker.unreachable]
    operator = Scripted(player, {world.id: cheat.ZEROS[player](world) for world in worlds})
    lives = play_many([(world, operator, 0) for world in worlds], backend, LONG, workers=4)
    assert not [as_text(life) for life in lives if life.checked]

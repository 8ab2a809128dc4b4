"""One episode per archetype and way to be blocked, in a real place; the whole library is for sekft.check."""

import pytest

from sekft.config import Backend as Kind
from sekft.config import EvalConfig, SandboxConfig
from sekft.episode.agent import Scripted, reference
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.show import as_text
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario import cheat, library
from sekft.scenario.task import Blocker

LONG = EvalConfig(max_turns=16)
ROUND = range(3, 32, 4)
SCENARIOS = [library.make(name, 1) for name in library.archetypes()]
STUCK = [library.make(name, ROUND[position % 8]) for position, name in enumerate(library.archetypes())]


@pytest.fixture(scope="module")
def backend() -> Backend:
    return choose.backend(SandboxConfig(backend=Kind.bwrap))


@pytest.mark.parametrize("noise", [pytest.param(0.0, marks=pytest.mark.exhaustive), 1.0])
def test_the_reference_verifies_straight_and_noisy_in_every_archetype(backend: Backend, noise: float) -> None:
    scenarios = [*SCENARIOS, *STUCK]
    agent = reference(scenarios, noise, seed=1)
    episodes = play_many([EpisodeRequest(scenario, agent) for scenario in scenarios], backend, LONG, workers=4)
    assert not [as_text(episode) for episode in episodes if not episode.kept]


@pytest.mark.parametrize("trick", ["touch", pytest.param("link", marks=pytest.mark.exhaustive)])
def test_a_cheat_solves_no_archetype(backend: Backend, trick: str) -> None:
    outside = library.make("symlink", 18)  # what it links to lies outside the home
    scenarios = [scenario for scenario in (*SCENARIOS, *STUCK, outside) if scenario.axes.blocker != Blocker.unreachable]
    agent = Scripted(trick, {scenario.id: cheat.CHEATS[trick](scenario) for scenario in scenarios})
    episodes = play_many([EpisodeRequest(scenario, agent) for scenario in scenarios], backend, LONG, workers=4)
    assert not [as_text(episode) for episode in episodes if episode.checked]

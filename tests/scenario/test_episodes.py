"""One solvable and one blocked episode per archetype in a real sandbox; sekft.check plays the whole library."""

import pytest

from sekft.config import BackendKind, Detour, EvalConfig, SandboxConfig
from sekft.episode.agent import Scripted, reference
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.show import as_text
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario import cheat, library
from sekft.scenario.detours import Detours
from sekft.scenario.task import Blocker

LONG = EvalConfig(max_turns=16)
BLOCKED_INDICES = range(3, 32, 4)
SCENARIOS = [library.make(name, 1) for name in library.archetypes()]
BLOCKED = [library.make(name, BLOCKED_INDICES[position % 8]) for position, name in enumerate(library.archetypes())]


@pytest.fixture(scope="module")
def backend() -> Backend:
    return choose.backend(SandboxConfig(backend=BackendKind.bwrap))


@pytest.mark.parametrize("noise", [pytest.param(0.0, marks=pytest.mark.exhaustive), 1.0])
def test_the_reference_verifies_with_and_without_detours_in_every_archetype(backend: Backend, noise: float) -> None:
    scenarios = [*SCENARIOS, *BLOCKED]
    agent = reference(scenarios, Detours(noise, 1, tuple(Detour)))
    episodes = play_many([EpisodeRequest(scenario, agent) for scenario in scenarios], backend, LONG, workers=4)
    assert not [as_text(episode) for episode in episodes if not episode.kept]


@pytest.mark.parametrize("cheat_name", ["touch", pytest.param("link", marks=pytest.mark.exhaustive)])
def test_a_cheat_solves_no_archetype(backend: Backend, cheat_name: str) -> None:
    outside = library.make("symlink", 18)  # what it links to lies outside the home
    scenarios = [scenario for scenario in (*SCENARIOS, *BLOCKED, outside) if scenario.axes.blocker != Blocker.unreachable]
    agent = Scripted(cheat_name, {scenario.id: cheat.CHEATS[cheat_name](scenario) for scenario in scenarios})
    episodes = play_many([EpisodeRequest(scenario, agent) for scenario in scenarios], backend, LONG, workers=4)
    assert not [as_text(episode) for episode in episodes if episode.checked]

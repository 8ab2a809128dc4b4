"""References with detours: the asked share of them, of every kind, and each comes back to the plain reference."""

import random

import pytest

from sekft.scenario import detours, library
from sekft.scenario.document import Scenario

SCENARIOS = [library.make(name, index) for name in library.archetypes() for index in range(4)]


def contains_reference(replies: tuple[str, ...], scenario: Scenario) -> bool:
    """Whether the plain replies are all there, in their order."""
    rest = iter(replies)
    return all(reply in rest for reply in scenario.reference)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.3, 0.2, 0.4), (1.0, 0.95, 1)])
def test_the_share_of_episodes_with_a_detour_is_what_was_asked_for(share: float, least: float, most: float) -> None:
    changed = sum(detours.with_detours(scenario, share, 0) != scenario.reference for scenario in SCENARIOS)
    assert least * len(SCENARIOS) <= changed <= most * len(SCENARIOS)


def test_every_detour_comes_back_and_stays_within_the_turns() -> None:
    for scenario in SCENARIOS:
        replies = detours.with_detours(scenario, 1.0, 0)
        assert contains_reference(replies, scenario) and len(replies) <= min(scenario.limits.turns, len(scenario.reference) + 2)
        assert replies[-1] == scenario.reference[-1]


def test_there_are_four_kinds_and_chance_depends_on_seed_and_scenario_alone() -> None:
    assert len(detours.DETOURS) >= 4
    first, repeated, other = ([detours.with_detours(scenario, 0.5, seed) for scenario in SCENARIOS] for seed in (1, 1, 2))
    assert first == repeated != other


@pytest.mark.parametrize("detour", detours.DETOURS, ids=lambda detour: detour.__name__)
def test_every_kind_fits_nearly_every_scenario(detour) -> None:
    taken = [detour(scenario.reference, scenario, random.Random(0)) for scenario in SCENARIOS]
    longer = sum(len(replies) == len(scenario.reference) + 1 for replies, scenario in zip(taken, SCENARIOS, strict=True))
    assert longer > 0.9 * len(SCENARIOS)


def test_a_mistyped_line_is_too_short_to_be_prose() -> None:
    for scenario in SCENARIOS:
        replies = detours.mistype(scenario.reference, scenario, random.Random(1))
        wrong = [reply for reply in replies if reply not in scenario.reference]
        assert all(len(reply.split()) <= detours.MAX_TYPO_WORDS for reply in wrong)

"""References with a detour: as many as asked for, of every kind, and each comes back to the straight one."""

import pytest

from sekft.scenario import library, noisy
from sekft.scenario.document import Scenario

SCENARIOS = [library.make(name, index) for name in library.archetypes() for index in range(4)]


def without_detours(replies: tuple[str, ...], scenario: Scenario) -> bool:
    """Whether the straight replies are in there, in their order."""
    rest = iter(replies)
    return all(reply in rest for reply in scenario.reference)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.3, 0.2, 0.4), (1.0, 0.95, 1)])
def test_the_share_of_episodes_with_a_detour_is_what_was_asked_for(share: float, least: float, most: float) -> None:
    astray = sum(noisy.reference(scenario, share, 0) != scenario.reference for scenario in SCENARIOS)
    assert least * len(SCENARIOS) <= astray <= most * len(SCENARIOS)


def test_every_detour_comes_back_and_stays_within_the_turns() -> None:
    for scenario in SCENARIOS:
        replies = noisy.reference(scenario, 1.0, 0)
        assert without_detours(replies, scenario) and len(replies) <= min(scenario.limits.turns, len(scenario.reference) + 2)
        assert replies[-1] == scenario.reference[-1]


def test_there_are_four_kinds_and_chance_hangs_on_seed_and_scenario_alone() -> None:
    assert len(noisy.DETOURS) >= 4
    once = [noisy.reference(scenario, 0.5, 1) for scenario in SCENARIOS]
    assert (
        once
        == [noisy.reference(scenario, 0.5, 1) for scenario in SCENARIOS]
        != [noisy.reference(scenario, 0.5, 2) for scenario in SCENARIOS]
    )


@pytest.mark.parametrize("detour", noisy.DETOURS, ids=lambda detour: detour.__name__)
def test_every_kind_can_be_taken_in_nearly_every_scenario(detour) -> None:
    import random

    taken = [detour(scenario.reference, scenario, random.Random(0)) for scenario in SCENARIOS]
    assert sum(len(replies) == len(scenario.reference) + 1 for replies, scenario in zip(taken, SCENARIOS, strict=True)) > 0.9 * len(
        SCENARIOS
    )


def test_a_mistyped_line_is_too_short_to_be_prose() -> None:
    import random

    for scenario in SCENARIOS:
        replies = noisy.mistyping(scenario.reference, scenario, random.Random(1))
        wrong = [reply for reply in replies if reply not in scenario.reference]
        assert all(len(reply.split()) <= noisy.MOST_WORDS for reply in wrong)

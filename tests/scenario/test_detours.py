"""References with detours: the asked share of them, of every kind, and each comes back to the plain reference."""

import random

import pytest

from sekft.config import DEFAULT_DETOURS, Detour
from sekft.scenario import detours, library
from sekft.scenario.detours import DETOURS, Detours, with_detours
from sekft.scenario.document import AnnouncementKind, Scenario

SCENARIOS = [library.make(name, index) for name in library.archetypes() for index in range(4)]
ALL = tuple(Detour)


def contains_reference(replies: tuple[str, ...], scenario: Scenario) -> bool:
    """Whether the plain replies are all there, in their order."""
    rest = iter(replies)
    return all(reply in rest for reply in scenario.reference)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.3, 0.2, 0.4), (1.0, 0.95, 1)])
def test_the_share_of_episodes_with_a_detour_is_what_was_asked_for(share: float, least: float, most: float) -> None:
    changed = sum(with_detours(scenario, Detours(share)) != scenario.reference for scenario in SCENARIOS)
    assert least * len(SCENARIOS) <= changed <= most * len(SCENARIOS)


@pytest.mark.parametrize("kinds", [DEFAULT_DETOURS, ALL], ids=["default", "all"])
def test_every_detour_comes_back_and_stays_within_the_turns(kinds: tuple[Detour, ...]) -> None:
    for scenario in SCENARIOS:
        replies = with_detours(scenario, Detours(1.0, kinds=kinds))
        assert contains_reference(replies, scenario) and len(replies) <= min(scenario.limits.turns, len(scenario.reference) + 4)
        assert replies[-1] == scenario.reference[-1]


def test_chance_depends_on_seed_and_scenario_alone() -> None:
    first, repeated, other = ([with_detours(scenario, Detours(0.5, seed)) for scenario in SCENARIOS] for seed in (1, 1, 2))
    assert first == repeated != other


@pytest.mark.parametrize("kind", Detour)
def test_every_kind_fits_most_scenarios(kind: Detour) -> None:
    taken = [DETOURS[kind](scenario.reference, scenario, random.Random(0)) for scenario in SCENARIOS]
    longer = sum(replies != scenario.reference for replies, scenario in zip(taken, SCENARIOS, strict=True))
    assert longer > (0.6 if kind in (Detour.absent_help, Detour.wrong_name) else 0.9) * len(SCENARIOS)


def test_a_mistyped_line_is_too_short_to_be_prose() -> None:
    for scenario in SCENARIOS:
        replies = detours.mistype(scenario.reference, scenario, random.Random(1))
        wrong = [reply for reply in replies if reply not in scenario.reference]
        assert all(len(reply.split()) <= detours.MAX_TYPO_WORDS for reply in wrong)


def test_help_is_typed_only_where_the_shell_has_none() -> None:
    for scenario in SCENARIOS:
        replies = detours.absent_help(scenario.reference, scenario, random.Random(0))
        assert ("help" in replies) and (replies != scenario.reference) == (scenario.announcement.kind is not AnnouncementKind.help)


def test_a_wrong_name_is_followed_by_the_right_line() -> None:
    for seed, scenario in enumerate(SCENARIOS):
        replies = detours.wrong_name(scenario.reference, scenario, random.Random(seed))
        if replies != scenario.reference:
            at = next(index for index, reply in enumerate(replies) if reply != scenario.reference[index])
            wrong, right = replies[at], scenario.reference[at]
            assert wrong.split()[0] == right.split()[0] and wrong != right and right in replies[at + 1 : at + 3]

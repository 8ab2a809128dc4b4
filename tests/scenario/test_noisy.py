"""References with a detour: as many as asked for, of every kind, and each comes back to the straight one."""

import pytest

from sekft.scenario import library, noisy
from sekft.scenario.document import Bundle

WORLDS = [library.make(name, index) for name in library.archetypes() for index in range(4)]


def without_detours(replies: tuple[str, ...], world: Bundle) -> bool:
    """Whether the straight replies are in there, in their order."""
    rest = iter(replies)
    return all(reply in rest for reply in world.reference)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.3, 0.2, 0.4), (1.0, 0.95, 1)])
def test_the_share_of_lives_with_a_detour_is_what_was_asked_for(share: float, least: float, most: float) -> None:
    astray = sum(noisy.reference(world, share, 0) != world.reference for world in WORLDS)
    assert least * len(WORLDS) <= astray <= most * len(WORLDS)


def test_every_detour_comes_back_and_stays_within_the_turns() -> None:
    for world in WORLDS:
        replies = noisy.reference(world, 1.0, 0)
        assert without_detours(replies, world) and len(replies) <= min(world.limits.turns, len(world.reference) + 2)
        assert replies[-1] == world.reference[-1]


def test_there_are_four_kinds_and_chance_hangs_on_seed_and_world_alone() -> None:
    assert len(noisy.DETOURS) >= 4
    once = [noisy.reference(world, 0.5, 1) for world in WORLDS]
    assert once == [noisy.reference(world, 0.5, 1) for world in WORLDS] != [noisy.reference(world, 0.5, 2) for world in WORLDS]


@pytest.mark.parametrize("detour", noisy.DETOURS, ids=lambda detour: detour.__name__)
def test_every_kind_can_be_taken_in_nearly_every_world(detour) -> None:
    import random

    taken = [detour(world.reference, world, random.Random(0)) for world in WORLDS]
    assert sum(len(replies) == len(world.reference) + 1 for replies, world in zip(taken, WORLDS, strict=True)) > 0.9 * len(WORLDS)


def test_a_mistyped_line_is_too_short_to_be_prose() -> None:
    import random

    for world in WORLDS:
        replies = noisy.mistyping(world.reference, world, random.Random(1))
        wrong = [reply for reply in replies if reply not in world.reference]
        assert all(len(reply.split()) <= noisy.MOST_WORDS for reply in wrong)

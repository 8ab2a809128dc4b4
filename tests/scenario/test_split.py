"""Whole archetypes are held out, nothing of the exam is met in training, and the first N are spread like all."""

from collections import Counter
from pathlib import Path

import pytest

from sekft.config import SplitConfig
from sekft.errors import BundleError, SettingsError
from sekft.scenario import library, split, words
from sekft.scenario.bundle import Bundle, Terminal, dumps, write

HOUSE = SplitConfig(name="house", held_out=["move", "sort"])


def blocked(worlds: list[Bundle]) -> list[Bundle]:
    return [world for world in worlds if world.terminal == Terminal.panic]


def test_an_archetype_is_in_training_or_in_the_exam() -> None:
    train, exam = split.bundles(HOUSE, "train"), split.bundles(HOUSE, "held_out")
    assert (len(train), len(exam)) == (96, 32)
    assert {world.archetype for world in exam} == {"move", "sort"}
    assert {world.archetype for world in train} == set(library.archetypes()) - {"move", "sort"}


def test_no_provider_of_the_exam_is_met_in_training() -> None:
    text = "".join(dumps(world) for world in split.bundles(HOUSE, "train"))
    assert not [world.provider.name for world in split.bundles(HOUSE, "held_out") if world.provider.name in text]
    assert not [name for name in words.EXAM_PROVIDERS if name in text]


@pytest.mark.parametrize(
    ("held_out", "which"),
    [(["move", "sort"], "train"), (["move", "sort"], "held_out"), (["move", "sort"], "all"), ([], "train"), (["copy"], "all")],
)
def test_a_prefix_of_whole_rows_has_a_quarter_blocked(held_out: list[str], which: str) -> None:
    worlds = split.bundles(SplitConfig(name="x", held_out=held_out), which)
    for length in range(4, len(worlds) + 1, 4):
        assert len(blocked(worlds[:length])) * 4 == length


@pytest.mark.parametrize("which", ["train", "held_out"])
def test_archetypes_share_a_split_evenly_and_take_turns_in_being_blocked(which: str) -> None:
    worlds = split.bundles(HOUSE, which)
    assert len(set(Counter(world.archetype for world in worlds).values())) == 1
    assert len(set(Counter(world.archetype for world in blocked(worlds)).values())) == 1
    for length in range(8, len(worlds) + 1, 8):
        assert len({world.archetype for world in blocked(worlds[length - 8 : length])}) == 2


def test_the_first_eight_of_training_meet_every_archetype() -> None:
    assert len({world.archetype for world in split.bundles(HOUSE, "train")[:8]}) == 6


def test_all_is_train_and_exam_with_no_world_twice() -> None:
    worlds = split.bundles(HOUSE, "all")
    assert len({world.id for world in worlds}) == len(worlds) == 128
    both = split.bundles(HOUSE, "train") + split.bundles(HOUSE, "held_out")
    assert sorted(map(dumps, worlds)) == sorted(map(dumps, both))
    assert {world.archetype for world in worlds[:16]} >= {"move", "sort", "copy"}


def test_all_of_a_split_that_holds_nothing_out_is_its_training() -> None:
    nothing = SplitConfig(name="x")
    assert split.bundles(nothing, "all") == split.bundles(nothing, "train")


def test_a_smaller_split_is_the_beginning_of_a_larger_one() -> None:
    small = SplitConfig(name="x", held_out=["move", "sort"], train_bundles=10)
    assert split.bundles(small, "train") == split.bundles(HOUSE, "train")[:10]


def test_another_seed_makes_other_worlds_with_other_ids() -> None:
    other = SplitConfig(name="x", held_out=["move", "sort"], seed=1)
    ids = {world.id for seeded in (HOUSE, other) for world in split.bundles(seeded, "all")}
    assert len(ids) == 256


def test_an_unknown_archetype_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"split\.held_out: found juggle, allowed: append, copy, .*sort"):
        split.bundles(SplitConfig(name="x", held_out=["move", "juggle"]), "train")


def test_a_side_without_archetypes_is_refused() -> None:
    with pytest.raises(SettingsError, match="held_out"):
        split.bundles(SplitConfig(name="x"), "held_out")
    with pytest.raises(SettingsError, match="held_out"):
        split.bundles(SplitConfig(name="x", held_out=list(library.archetypes())), "train")


def test_a_word_or_a_folder_or_a_file_can_be_loaded(tmp_path: Path) -> None:
    worlds = split.load("held_out", HOUSE)[:4]
    write(worlds, tmp_path)
    assert split.load(str(tmp_path), HOUSE) == sorted(worlds, key=lambda world: world.id)
    assert split.load(str(tmp_path / f"{worlds[0].id}.json"), HOUSE) == worlds[:1]


def test_a_path_that_is_not_there_is_refused_with_the_words_allowed() -> None:
    with pytest.raises(BundleError, match="nowhere does not exist, allowed: train, held_out, all, a bundle file or a folder"):
        split.load("nowhere", HOUSE)

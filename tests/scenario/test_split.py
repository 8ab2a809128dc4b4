"""Whole archetypes are held out, nothing of the exam is met in training, and the first N are spread like all."""

from collections import Counter
from pathlib import Path

import pytest

from sekft.config import SplitConfig
from sekft.errors import BundleError, SettingsError
from sekft.scenario import frozen, library, split, words
from sekft.scenario.document import Bundle, Terminal, dumps, write
from sekft.scenario.task import Blocker

HOUSE = SplitConfig(name="house", held_out=list(frozen.HELD_OUT))
TWO = SplitConfig(name="two", held_out=["move", "sort"], exam_bundles=32)


def blocked(worlds: list[Bundle]) -> list[Bundle]:
    return [world for world in worlds if world.terminal is Terminal.panic]


@pytest.mark.parametrize("config", [HOUSE, TWO], ids=lambda config: config.name)
def test_an_archetype_is_in_training_or_held_out(config: SplitConfig) -> None:
    train, exam = split.bundles(config, "train"), split.bundles(config, "held_out")
    assert len(train) == 240 and len(exam) == {"house": 64, "two": 32}[config.name]
    assert {world.archetype for world in exam} == set(config.held_out)
    assert {world.archetype for world in train} == set(library.archetypes()) - set(config.held_out)


@pytest.mark.parametrize("config", [HOUSE, TWO], ids=lambda config: config.name)
def test_no_provider_of_the_exam_is_met_in_training(config: SplitConfig) -> None:
    text = "".join(dumps(world) for world in split.bundles(config, "train"))
    assert not [world.provider.name for world in split.bundles(config, "exam") if world.provider.name in text]
    assert not [name for name in words.EXAM_PROVIDERS if name in text]


@pytest.mark.parametrize("which", split.WHICH)
@pytest.mark.parametrize("config", [HOUSE, TWO], ids=lambda config: config.name)
def test_a_prefix_of_whole_rows_has_a_quarter_blocked(config: SplitConfig, which: str) -> None:
    worlds = split.bundles(config, which)
    for length in range(4, len(worlds) + 1, 4):
        assert len(blocked(worlds[:length])) * 4 == length


@pytest.mark.parametrize("which", ["train", "held_out", "exam", "all"])
def test_at_most_a_quarter_of_the_blocked_worlds_can_do_nothing(which: str) -> None:
    stuck = blocked(split.bundles(HOUSE, which))
    assert sum(world.axes.blocker == Blocker.unreachable for world in stuck) * 4 <= len(stuck)


@pytest.mark.parametrize("which", ["train", "held_out"])
def test_archetypes_share_a_split_and_its_blocked_worlds_evenly(which: str) -> None:
    worlds = split.bundles(HOUSE, which)
    for group in (worlds, blocked(worlds)):
        counts = Counter(dict.fromkeys((world.archetype for world in worlds), 0))
        counts.update(world.archetype for world in group)
        assert max(counts.values()) - min(counts.values()) <= 2


def test_the_first_of_the_exam_are_spread_over_archetypes_and_kinds() -> None:
    exam = split.bundles(HOUSE, "exam")
    for length in (8, 16, 32, 64, 128):
        held = [world for world in exam[:length] if world.archetype in HOUSE.held_out]
        assert len(held) * 2 == length
    assert {world.archetype for world in exam[:16]} >= set(HOUSE.held_out)
    assert len({world.archetype for world in exam}) == 37 and {world.archetype for world in exam} <= set(library.archetypes())
    assert len({world.archetype for world in split.bundles(HOUSE, "held_out")[:8]}) == 8


def test_the_first_eight_of_training_meet_eight_archetypes() -> None:
    assert len({world.archetype for world in split.bundles(HOUSE, "train")[:8]}) == 8


def test_all_is_train_and_exam_with_no_world_twice() -> None:
    worlds = split.bundles(HOUSE, "all")
    both = split.bundles(HOUSE, "train") + split.bundles(HOUSE, "exam")
    assert len({world.id for world in worlds}) == len(worlds) == 368
    assert sorted(map(dumps, worlds)) == sorted(map(dumps, both))


def test_all_of_a_split_that_holds_nothing_out_is_its_training() -> None:
    nothing = SplitConfig(name="x")
    assert split.bundles(nothing, "all") == split.bundles(nothing, "train")


def test_as_many_training_worlds_as_are_asked_for_begin_with_the_same() -> None:
    assert split.bundles(HOUSE, "train", amount=300)[:240] == split.bundles(HOUSE, "train")
    assert split.bundles(HOUSE, "train", amount=10) == split.bundles(HOUSE, "train")[:10]


def test_fresh_worlds_differ_by_seed_and_from_the_exam() -> None:
    sets = [split.bundles(HOUSE, "fresh", seed, 16) for seed in (0, 1)] + [split.bundles(HOUSE, "exam", amount=16)]
    assert len({dumps(world) for worlds in sets for world in worlds}) == 48
    assert sum(world.archetype in HOUSE.held_out for world in sets[0]) == 8


@pytest.mark.parametrize("config", [HOUSE, TWO], ids=lambda config: config.name)
def test_what_an_adapter_is_chosen_by_is_of_the_side_of_training_and_none_of_its_worlds_nor_the_exams(config: SplitConfig) -> None:
    worlds = split.bundles(config, "choosing", seed=7, amount=16)
    assert worlds == split.bundles(config, "choosing", seed=0)[:16] and len({world.archetype for world in worlds[:8]}) == 8
    assert not {world.archetype for world in worlds} & set(config.held_out)
    text = "".join(dumps(world) for world in worlds)
    assert not [name for name in words.EXAM_PROVIDERS if name in text]
    others = [world for which in ("train", "exam", "fresh") for world in split.bundles(config, which)]
    assert not {world.id for world in worlds} & {world.id for world in others}
    assert not {world.directives for world in worlds if world.directives} & {world.directives for world in others}


def test_development_worlds_are_other_ones_for_every_seed_and_nobody_elses() -> None:
    first, second = (split.bundles(HOUSE, "development", seed=seed, amount=32) for seed in (1, 2))
    others = [world for which in ("train", "exam", "choosing") for world in split.bundles(HOUSE, which)]
    assert len({world.id for world in [*first, *second, *others]}) == 64 + len(others)
    assert not {world.archetype for world in first} & set(HOUSE.held_out)
    assert not [name for name in words.EXAM_PROVIDERS if name in "".join(map(dumps, first))]


def test_an_archetype_has_as_many_turns_as_its_weight_asks_for_among_the_blocked_worlds_too() -> None:
    config = SplitConfig(name="x", held_out=["move"], train_weights={"sort": 3, "copy": 2})
    learned = len(library.archetypes()) - 1
    worlds = split.bundles(config, "train", amount=4 * (learned + 3))
    for group, turns in ((worlds, 4), (blocked(worlds), 1)):
        found = Counter(world.archetype for world in group)
        assert (found["sort"], found["copy"]) == (3 * turns, 2 * turns) and set(found.values()) == {turns, 2 * turns, 3 * turns}
    assert len({world.id for world in worlds}) == len(worlds)
    assert {world.archetype for world in worlds[:8]} != {"sort"}


@pytest.mark.parametrize("weights", [{"move": 2}, {"juggle": 2}, {"sort": 0}])
def test_a_weight_is_one_or_more_and_of_a_training_archetype(weights: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=r"split\.train_weights: found \w+: \d, allowed: 1 or more, of append, "):
        split.bundles(SplitConfig(name="x", held_out=["move"], train_weights=weights), "train")


def test_another_seed_makes_other_training_worlds_and_leaves_the_exam() -> None:
    other = SplitConfig(name="x", held_out=list(frozen.HELD_OUT), seed=1)
    assert not {world.id for world in split.bundles(HOUSE, "train")} & {world.id for world in split.bundles(other, "train")}
    assert split.bundles(other, "exam") == split.bundles(HOUSE, "exam")


@pytest.mark.parametrize("key", ["held_out", "set_aside"])
def test_an_unknown_archetype_is_refused_with_the_known_ones(key: str) -> None:
    with pytest.raises(SettingsError, match=rf"split\.{key}: found juggle, allowed: append, .*sort"):
        split.bundles(SplitConfig(name="x", **{"held_out": ["move"], key: ["move", "juggle"]}), "train")


def test_what_is_set_aside_must_be_held_out() -> None:
    with pytest.raises(SettingsError, match=r"split\.set_aside: found copy"):
        split.sides(SplitConfig(name="x", held_out=["move"], set_aside=["copy"]))


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
    with pytest.raises(
        BundleError, match="nowhere does not exist, allowed: train, held_out, exam, all, fresh, unlisted, choosing, development, a bundle"
    ):
        split.load("nowhere", HOUSE)


@pytest.mark.parametrize("share", [0.0, 0.125, 0.25, 0.3, 0.5, 1.0])
def test_training_has_the_share_of_blocked_worlds_that_is_asked_for_in_every_prefix_and_the_exam_its_quarter(share: float) -> None:
    config = SplitConfig(name="x", held_out=list(frozen.HELD_OUT), train_blocked_share=share)
    worlds = split.bundles(config, "train")
    assert all(abs(len(blocked(worlds[:length])) - share * length) < 1 for length in range(1, 97))
    assert len({world.id for world in worlds}) == 240
    assert len(blocked(split.bundles(config, "exam"))) * 4 == 128 and len(blocked(split.bundles(config, "fresh"))) * 4 == 64


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_names_come_from_outside_the_list_as_often_as_asked_for_training_and_exam(share: float) -> None:
    config = SplitConfig(name="x", held_out=list(frozen.HELD_OUT), train_unlisted_share=share, unlisted_share=share)
    for which in ("train", "unlisted"):
        worlds = split.bundles(config, which)
        files = [fixture.path.rpartition("/")[2].split(".")[0] for world in worlds for fixture in world.fixtures if fixture.kind == "file"]
        names = [name for name in files if name.islower() and name.isalpha()]
        assert sum(name not in words.NOUNS for name in names) / len(names) == pytest.approx(share, abs=0.07)
        assert worlds == split.bundles(config, which)
    assert split.bundles(config, "exam") == split.bundles(HOUSE, "exam")


def test_worlds_of_two_shares_are_twins_that_differ_in_their_names_only() -> None:
    def drawn(share: float) -> list[Bundle]:
        return split.bundles(SplitConfig(name="x", held_out=["move"], unlisted_share=share), "unlisted")

    for listed, strange in zip(drawn(0.0), drawn(1.0), strict=True):
        assert listed != strange and (listed.id, listed.axes, listed.terminal) == (strange.id, strange.axes, strange.terminal)
        assert len(listed.directives) == len(strange.directives) and len(listed.reference) == len(strange.reference)
        assert listed.provider.name == strange.provider.name and listed.announcement.kind == strange.announcement.kind
    fresh = split.bundles(SplitConfig(name="x", held_out=["move"]), "fresh")
    assert not {world.id for world in fresh} & {world.id for world in drawn(0.0)}

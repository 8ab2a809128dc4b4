"""Splits hold out whole archetypes, training shows nothing of the evaluation, and every prefix is stratified."""

from collections import Counter
from pathlib import Path

import pytest

from sekft.config import SplitConfig
from sekft.errors import ScenarioError, SettingsError
from sekft.scenario import frozen, library, split, words
from sekft.scenario.document import Scenario, Terminal, dumps, write
from sekft.scenario.task import Blocker

ARCHETYPE_SPLIT = SplitConfig(name="archetype", held_out=list(frozen.HELD_OUT))
TWO = SplitConfig(name="two", held_out=["move", "sort"], eval_scenarios=32)


def blocked(scenarios: list[Scenario]) -> list[Scenario]:
    return [scenario for scenario in scenarios if scenario.terminal is Terminal.panic]


@pytest.mark.parametrize("config", [ARCHETYPE_SPLIT, TWO], ids=lambda config: config.name)
def test_an_archetype_is_in_training_or_held_out(config: SplitConfig) -> None:
    train, evaluation = split.scenarios(config, "train"), split.scenarios(config, "held_out")
    assert len(train) == 240 and len(evaluation) == {"archetype": 64, "two": 32}[config.name]
    assert {scenario.archetype for scenario in evaluation} == set(config.held_out)
    assert {scenario.archetype for scenario in train} == set(library.archetypes()) - set(config.held_out)


@pytest.mark.parametrize("config", [ARCHETYPE_SPLIT, TWO], ids=lambda config: config.name)
def test_no_provider_of_the_evaluation_is_in_training(config: SplitConfig) -> None:
    text = "".join(dumps(scenario) for scenario in split.scenarios(config, "train"))
    assert not [scenario.provider.name for scenario in split.scenarios(config, "test") if scenario.provider.name in text]
    assert not [name for name in words.TEST_PROVIDERS if name in text]


@pytest.mark.parametrize("name", split.SETS)
@pytest.mark.parametrize("config", [ARCHETYPE_SPLIT, TWO], ids=lambda config: config.name)
def test_a_prefix_of_whole_rows_has_a_quarter_blocked(config: SplitConfig, name: str) -> None:
    scenarios = split.scenarios(config, name)
    for length in range(4, len(scenarios) + 1, 4):
        assert len(blocked(scenarios[:length])) * 4 == length


@pytest.mark.parametrize("name", ["train", "held_out", "test", "all"])
def test_at_most_a_quarter_of_the_blocked_scenarios_is_unreachable(name: str) -> None:
    blocked_scenarios = blocked(split.scenarios(ARCHETYPE_SPLIT, name))
    assert sum(scenario.axes.blocker == Blocker.unreachable for scenario in blocked_scenarios) * 4 <= len(blocked_scenarios)


@pytest.mark.parametrize("name", ["train", "held_out"])
def test_archetypes_share_a_split_and_its_blocked_scenarios_evenly(name: str) -> None:
    scenarios = split.scenarios(ARCHETYPE_SPLIT, name)
    for group in (scenarios, blocked(scenarios)):
        counts = Counter(dict.fromkeys((scenario.archetype for scenario in scenarios), 0))
        counts.update(scenario.archetype for scenario in group)
        assert max(counts.values()) - min(counts.values()) <= 2


def test_every_prefix_of_the_test_set_is_stratified() -> None:
    evaluation = split.scenarios(ARCHETYPE_SPLIT, "test")
    for length in (8, 16, 32, 64, 128):
        held = [scenario for scenario in evaluation[:length] if scenario.archetype in ARCHETYPE_SPLIT.held_out]
        assert len(held) * 2 == length
    assert {scenario.archetype for scenario in evaluation[:16]} >= set(ARCHETYPE_SPLIT.held_out)
    assert len({scenario.archetype for scenario in evaluation}) == 37 and {scenario.archetype for scenario in evaluation} <= set(
        library.archetypes()
    )
    assert len({scenario.archetype for scenario in split.scenarios(ARCHETYPE_SPLIT, "held_out")[:8]}) == 8


def test_the_first_eight_training_scenarios_are_of_eight_archetypes() -> None:
    assert len({scenario.archetype for scenario in split.scenarios(ARCHETYPE_SPLIT, "train")[:8]}) == 8


def test_all_is_train_and_test_with_no_scenario_twice() -> None:
    scenarios = split.scenarios(ARCHETYPE_SPLIT, "all")
    both = split.scenarios(ARCHETYPE_SPLIT, "train") + split.scenarios(ARCHETYPE_SPLIT, "test")
    assert len({scenario.id for scenario in scenarios}) == len(scenarios) == 368
    assert sorted(map(dumps, scenarios)) == sorted(map(dumps, both))


def test_all_of_a_split_that_holds_nothing_out_is_its_training() -> None:
    nothing = SplitConfig(name="x")
    assert split.scenarios(nothing, "all") == split.scenarios(nothing, "train")


def test_a_larger_training_set_begins_with_the_smaller_one() -> None:
    assert split.scenarios(ARCHETYPE_SPLIT, "train", amount=300)[:240] == split.scenarios(ARCHETYPE_SPLIT, "train")
    assert split.scenarios(ARCHETYPE_SPLIT, "train", amount=10) == split.scenarios(ARCHETYPE_SPLIT, "train")[:10]


def test_fresh_scenarios_differ_by_seed_and_from_the_test_set() -> None:
    sets = [split.scenarios(ARCHETYPE_SPLIT, "fresh", seed, 16) for seed in (0, 1)] + [split.scenarios(ARCHETYPE_SPLIT, "test", amount=16)]
    assert len({dumps(scenario) for scenarios in sets for scenario in scenarios}) == 48
    assert sum(scenario.archetype in ARCHETYPE_SPLIT.held_out for scenario in sets[0]) == 8


@pytest.mark.parametrize("config", [ARCHETYPE_SPLIT, TWO], ids=lambda config: config.name)
def test_selection_scenarios_are_of_training_archetypes_and_in_no_other_set(config: SplitConfig) -> None:
    scenarios = split.scenarios(config, "selection", seed=7, amount=16)
    assert scenarios == split.scenarios(config, "selection", seed=0)[:16] and len({scenario.archetype for scenario in scenarios[:8]}) == 8
    assert not {scenario.archetype for scenario in scenarios} & set(config.held_out)
    text = "".join(dumps(scenario) for scenario in scenarios)
    assert not [name for name in words.TEST_PROVIDERS if name in text]
    others = [scenario for name in ("train", "test", "fresh") for scenario in split.scenarios(config, name)]
    assert not {scenario.id for scenario in scenarios} & {scenario.id for scenario in others}
    assert not {scenario.directives for scenario in scenarios if scenario.directives} & {scenario.directives for scenario in others}


def test_development_scenarios_differ_by_seed_and_are_in_no_other_set() -> None:
    first, second = (split.scenarios(ARCHETYPE_SPLIT, "development", seed=seed, amount=32) for seed in (1, 2))
    others = [scenario for name in ("train", "test", "selection") for scenario in split.scenarios(ARCHETYPE_SPLIT, name)]
    assert len({scenario.id for scenario in [*first, *second, *others]}) == 64 + len(others)
    assert not {scenario.archetype for scenario in first} & set(ARCHETYPE_SPLIT.held_out)
    assert not [name for name in words.TEST_PROVIDERS if name in "".join(map(dumps, first))]


def test_an_archetype_occurs_as_often_as_its_weight_also_among_blocked_scenarios() -> None:
    config = SplitConfig(name="x", held_out=["move"], train_weights={"sort": 3, "copy": 2})
    learned = len(library.archetypes()) - 1
    scenarios = split.scenarios(config, "train", amount=4 * (learned + 3))
    for group, turns in ((scenarios, 4), (blocked(scenarios), 1)):
        found = Counter(scenario.archetype for scenario in group)
        assert (found["sort"], found["copy"]) == (3 * turns, 2 * turns) and set(found.values()) == {turns, 2 * turns, 3 * turns}
    assert len({scenario.id for scenario in scenarios}) == len(scenarios)
    assert {scenario.archetype for scenario in scenarios[:8]} != {"sort"}


@pytest.mark.parametrize("weights", [{"move": 2}, {"juggle": 2}, {"sort": 0}])
def test_a_weight_is_one_or_more_and_of_a_training_archetype(weights: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=r"split\.train_weights: found \w+: \d, allowed: 1 or more, of append, "):
        split.scenarios(SplitConfig(name="x", held_out=["move"], train_weights=weights), "train")


def test_another_seed_changes_the_training_scenarios_and_not_the_test_set() -> None:
    other = SplitConfig(name="x", held_out=list(frozen.HELD_OUT), seed=1)
    first, second = ({scenario.id for scenario in split.scenarios(config, "train")} for config in (ARCHETYPE_SPLIT, other))
    assert not first & second
    assert split.scenarios(other, "test") == split.scenarios(ARCHETYPE_SPLIT, "test")


@pytest.mark.parametrize("key", ["held_out", "set_aside"])
def test_an_unknown_archetype_is_refused_with_the_known_ones(key: str) -> None:
    with pytest.raises(SettingsError, match=rf"split\.{key}: found juggle, allowed: append, .*sort"):
        split.scenarios(SplitConfig(name="x", **{"held_out": ["move"], key: ["move", "juggle"]}), "train")


def test_an_archetype_that_is_set_aside_must_be_held_out() -> None:
    with pytest.raises(SettingsError, match=r"split\.set_aside: found copy"):
        split.sides(SplitConfig(name="x", held_out=["move"], set_aside=["copy"]))


def test_a_side_without_archetypes_is_refused() -> None:
    with pytest.raises(SettingsError, match="held_out"):
        split.scenarios(SplitConfig(name="x"), "held_out")
    with pytest.raises(SettingsError, match="held_out"):
        split.scenarios(SplitConfig(name="x", held_out=list(library.archetypes())), "train")


def test_a_name_or_a_folder_or_a_file_can_be_loaded(tmp_path: Path) -> None:
    scenarios = split.load("held_out", ARCHETYPE_SPLIT)[:4]
    write(scenarios, tmp_path)
    assert split.load(str(tmp_path), ARCHETYPE_SPLIT) == sorted(scenarios, key=lambda scenario: scenario.id)
    assert split.load(str(tmp_path / f"{scenarios[0].id}.json"), ARCHETYPE_SPLIT) == scenarios[:1]


def test_a_path_that_does_not_exist_is_refused_with_the_allowed_names() -> None:
    with pytest.raises(
        ScenarioError,
        match="nowhere does not exist, allowed: train, held_out, test, all, fresh, unlisted, selection, development, a scenario",
    ):
        split.load("nowhere", ARCHETYPE_SPLIT)


@pytest.mark.parametrize("share", [0.0, 0.125, 0.25, 0.3, 0.5, 1.0])
def test_every_prefix_of_training_has_the_configured_share_of_blocked_scenarios_and_the_test_set_a_quarter(share: float) -> None:
    config = SplitConfig(name="x", held_out=list(frozen.HELD_OUT), train_blocked_share=share)
    scenarios = split.scenarios(config, "train")
    assert all(abs(len(blocked(scenarios[:length])) - share * length) < 1 for length in range(1, 97))
    assert len({scenario.id for scenario in scenarios}) == 240
    assert len(blocked(split.scenarios(config, "test"))) * 4 == 128 and len(blocked(split.scenarios(config, "fresh"))) * 4 == 64


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_invented_names_is_as_configured_in_training_and_evaluation(share: float) -> None:
    config = SplitConfig(name="x", held_out=list(frozen.HELD_OUT), train_unlisted_share=share, unlisted_share=share)
    for name in ("train", "unlisted"):
        scenarios = split.scenarios(config, name)
        files = [
            fixture.path.rpartition("/")[2].split(".")[0]
            for scenario in scenarios
            for fixture in scenario.fixtures
            if fixture.kind == "file"
        ]
        names = [name for name in files if name.islower() and name.isalpha()]
        assert sum(name not in words.NOUNS for name in names) / len(names) == pytest.approx(share, abs=0.07)
        assert scenarios == split.scenarios(config, name)
    assert split.scenarios(config, "test") == split.scenarios(ARCHETYPE_SPLIT, "test")


def test_scenarios_of_two_shares_of_invented_names_differ_in_their_names_only() -> None:
    def drawn(share: float) -> list[Scenario]:
        return split.scenarios(SplitConfig(name="x", held_out=["move"], unlisted_share=share), "unlisted")

    for listed, strange in zip(drawn(0.0), drawn(1.0), strict=True):
        assert listed != strange and (listed.id, listed.axes, listed.terminal) == (strange.id, strange.axes, strange.terminal)
        assert len(listed.directives) == len(strange.directives) and len(listed.reference) == len(strange.reference)
        assert listed.provider.name == strange.provider.name and listed.announcement.kind == strange.announcement.kind
    fresh = split.scenarios(SplitConfig(name="x", held_out=["move"]), "fresh")
    assert not {scenario.id for scenario in fresh} & {scenario.id for scenario in drawn(0.0)}

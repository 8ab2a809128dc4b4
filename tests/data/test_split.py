"""The split: groups, archetypes and times lie wholly on one side."""

from dataclasses import replace

import pytest

from sekft.config import DataConfig, SourceConfig, SourceKind
from sekft.config.data import HoldOut
from sekft.data.sample import Sample
from sekft.data.split import split_by_hash, split_samples
from sekft.errors import DataError, SettingsError
from tests.data.test_rows import sample


def of(number: int, source: str = "shell", **more: object) -> Sample:
    messages = sample(number).messages
    return Sample(f"{source}/{number}", f"{source}/{number // 2}", source, messages, **more)  # type: ignore[arg-type]


def config(**more: object) -> DataConfig:
    sources = {name: SourceConfig(kind=SourceKind.trajectories) for name in ("shell", "other")}
    return DataConfig(sources=sources, validation_share=0.25, **more)  # type: ignore[arg-type]


def test_no_scenario_is_on_both_sides_and_new_data_moves_no_old_row():
    few, many = [sample(i) for i in range(50)], [sample(i) for i in range(100)]
    training, validation = split_by_hash(few, 0.2, seed=0)
    assert not {one.group for one in training} & {one.group for one in validation} and validation
    assert {one.id for one in validation} <= {one.id for one in split_by_hash(many, 0.2, seed=0)[1]}
    assert {one.id for one in validation} != {one.id for one in split_by_hash(few, 0.2, seed=1)[1]}


def test_a_handful_of_scenarios_still_gets_a_validation_side():
    training, validation = split_by_hash([sample(0), sample(1)], 0.01, seed=0)
    assert len(training) == len(validation) == 1
    assert split_by_hash([sample(0)], 0.5, seed=0) == ([sample(0)], [])


def test_validation_comes_from_the_chosen_sources_only_and_training_keeps_its_order():
    samples = [of(number, source) for number in range(40) for source in ("shell", "other")]
    training, validation = split_samples(samples, config(validation_from=["shell"]), 0)
    assert {one.source for one in validation} == {"shell"} and sum(one.source == "other" for one in training) == 40
    assert training == [one for one in samples if one not in validation]
    with pytest.raises(SettingsError, match="validation_from: found nobody, allowed: shell, other"):
        split_samples(samples, config(validation_from=["nobody"]), 0)


def test_samples_of_other_sources_that_share_a_scenario_with_validation_are_in_neither_set():
    episodes = [of(number) for number in range(40)]
    points = [replace(one, id=f"point/{one.id}", source="other") for one in episodes]
    training, validation = split_samples([*episodes, *points], config(validation_from=["shell"]), 0)
    apart = {one.group for one in validation}
    assert apart and not apart & {one.group for one in training}
    assert sum(one.source == "other" for one in training) == sum(one.group not in apart for one in points)


def test_an_archetype_lies_wholly_on_one_side():
    samples = [of(number, archetype="abcdefgh"[number % 8]) for number in range(64)]
    training, validation = split_samples(samples, config(hold_out=HoldOut.archetype), 0)
    assert validation and not {one.archetype for one in training} & {one.archetype for one in validation}
    with pytest.raises(DataError, match="shell/0: no archetype"):
        split_samples([of(0)], config(hold_out=HoldOut.archetype), 0)


def test_hold_out_time_validates_on_the_latest_groups():
    samples = [of(number, time=float((number * 7) % 20)) for number in range(20)]
    training, validation = split_samples(samples, config(hold_out=HoldOut.time), 0)
    began = {one.group: min(other.time or 0 for other in samples if other.group == one.group) for one in samples}
    assert max(began[one.group] for one in training) < min(began[one.group] for one in validation)
    assert 2 <= len({one.group for one in validation}) <= 3 and not {one.group for one in training} & {one.group for one in validation}
    with pytest.raises(DataError, match="shell/0: no time"):
        split_samples([of(0)], config(hold_out=HoldOut.time), 0)

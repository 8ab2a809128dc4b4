"""The effect of a swept setting: values in natural order, a dot for every run, one rate over all runs with a value."""

from pathlib import Path

from sekft.compare.effects import Effect, effects
from sekft.eval.measures import measure_rate
from tests.compare.test_comparison import compared, grid
from tests.eval.planted_runs import plant, share, sweep


def found(folder: Path) -> list[Effect]:
    comparison = compared(folder)
    return effects(comparison.groups, comparison.criteria, comparison.margin)


def test_values_are_in_natural_order_with_the_rate_of_all_their_runs(tmp_path: Path):
    rank, lr = found(grid(tmp_path / "grid"))
    assert (rank.key, lr.key) == ("lora.name", "trainer.lr")
    assert [value.text for value in rank.values] == ["r4", "r16"] and [value.text for value in lr.values] == ["0.001", "0.01"]
    assert [value.rate.rate for value in lr.values] == [0.25, 0.75] and [value.rate.rate for value in rank.values] == [0.5, 0.5]
    assert [len(value.dots) for value in lr.values] == [4, 4] and set(lr.values[1].dots) == {0.75}
    runs = [run for group in compared(tmp_path / "grid").groups for run in group.runs if run.settings["trainer.lr"] == 0.01]
    assert lr.values[1].rate == measure_rate([episode for run in runs for episode in run.episodes], "verified")
    assert "0.01: 192/256 [" in lr.description()


def test_threads_join_neighbours_that_share_every_other_setting(tmp_path: Path):
    rank, lr = found(grid(tmp_path / "grid"))
    assert sorted(rank.threads) == [(0, 0.25, 1, 0.25), (0, 0.75, 1, 0.75)]
    assert lr.threads == ((0, 0.25, 1, 0.75),) * 2


def test_each_value_is_compared_with_the_first_that_ran_and_other_settings_widen_no_interval(tmp_path: Path):
    rank, lr = found(grid(tmp_path / "grid"))
    assert len(rank.sentences) == 1 and rank.sentences[0].startswith("no difference beyond 15 points: lora.name=r4 ")
    assert lr.sentences[0].startswith("trainer.lr=0.01 verified 50 points more than trainer.lr=0.001 [")


def test_runs_without_a_match_shift_no_difference_and_a_value_without_any_is_left_out(tmp_path: Path):
    for at, (lr, rank, of) in enumerate(((0.1, 4, 2), (0.2, 4, 4), (0.2, 16, 8), (0.3, 8, 8))):
        plant(tmp_path / str(at), share(of, 8), {"lora": {"r": rank}, "trainer": {"lr": lr}}, overrides=["trainer.lr=x", "lora.r=x"])
    lr, rank = sorted(found(tmp_path), key=lambda one: one.key == "lora.r")
    assert len(lr.sentences) == 1 and lr.sentences[0].startswith("trainer.lr=0.2 verified 25 points more than trainer.lr=0.1 [")
    assert len(rank.sentences) == 1 and rank.sentences[0].startswith("lora.r=16 verified 50 points more than lora.r=4 [")


def test_a_setting_alone_needs_no_sentence_and_seeds_alone_are_no_setting(tmp_path: Path):
    (mask,) = found(sweep(tmp_path / "sweep"))
    assert mask.key == "mask.rule" and mask.sentences == () and mask.threads == ()
    for seed in range(2):
        plant(tmp_path / "seeds" / str(seed), share(1, 2), seed=seed)
    assert found(tmp_path / "seeds") == []


def test_a_long_list_and_null_are_values_too(tmp_path: Path):
    for at, value in enumerate((["archetype"] * 9, None)):
        plant(tmp_path / str(at), share(at + 1, 8), {"split": {"kinds": value}}, overrides=["split.kinds=x"])
    (kinds,) = found(tmp_path)
    assert [value.text[:8] for value in kinds.values] == ["None", "['archet"]

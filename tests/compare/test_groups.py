"""Runs are grouped by every setting but the seed, and named by the fewest settings that tell the groups apart."""

import json
from pathlib import Path

import pytest
from scipy.stats import ttest_1samp

from sekft.compare.groups import Group, evaluated_runs, gain_over_seeds, group_runs, is_varied_alone, varied_with
from sekft.errors import DataError
from sekft.eval.measures import MEASURES, TABLE, measure_rate
from sekft.eval.paired import Paired
from sekft.tracking.records import FinishedRun, find, read
from tests.eval.planted import episode
from tests.eval.planted_runs import ARCHETYPES, plant, share, sweep


def groups(*folders: Path) -> list[Group]:
    return group_runs(evaluated_runs([record for record in map(read, find(map(str, folders))) if isinstance(record, FinishedRun)])[0])


def test_seeds_of_one_setting_are_one_group_named_by_what_differs(tmp_path: Path):
    found = groups(sweep(tmp_path / "sweep"))
    assert [(group.name, [run.seed for run in group.runs]) for group in found] == [("assistant", [0, 1, 2]), ("terminal_only", [0, 1, 2])]
    assert found[0].differing == {"mask.rule": "assistant"} and len(found[0].episodes()) == 3 * 64 and len(found[0].base()) == 64


def test_implied_settings_are_no_columns_and_overridden_ones_come_first(tmp_path: Path):
    at = 0
    for rank in (4, 16):
        for lr in (0.001, 0.01):
            settings = {
                "data": {"path": f"file-{rank}-{lr}"},
                "lora": {"name": f"r{rank}", "r": rank, "alpha": 2 * rank},
                "trainer": {"lr": lr},
            }
            plant(tmp_path / "sweep" / str(at), share(1, 8), settings, overrides=[f"lora=r{rank}", f"trainer.lr={lr}"])
            at += 1
    found = groups(tmp_path / "sweep")
    assert [list(group.differing) for group in found] == [["lora.name", "trainer.lr"]] * 4
    assert found[0].name == "lora.name=r4 trainer.lr=0.001" and varied_with(found) == ["data.path"]


def test_a_long_and_a_short_run_are_no_effect_of_the_rehearsal(tmp_path: Path):
    short = {"rehearsal": True, "workers": 8, "trainer": {"max_steps": 20, "lr": 0.01, "epochs": 1}}
    long = {"rehearsal": False, "workers": 2, "trainer": {"max_steps": 2000, "lr": 0.001, "epochs": 1}}
    plant(tmp_path / "0", share(1, 8), short, overrides=["trainer.max_steps=20", "trainer.lr=0.01"])
    plant(tmp_path / "1", share(7, 8), long, overrides=["rehearsal=false", "trainer.max_steps=2000"])
    found = groups(tmp_path)
    assert [set(group.differing) for group in found] == [{"trainer.max_steps", "trainer.lr"}] * 2
    assert varied_with(found) == [] and not any(is_varied_alone(found, key) for key in found[0].differing)


def test_a_setting_that_changes_with_a_named_one_is_told(tmp_path: Path):
    plant(tmp_path / "0", share(1, 8), {"lora": {"r": 4, "alpha": 8}, "trainer": {"lr": 0.01}}, overrides=["lora.r=4"])
    plant(tmp_path / "1", share(7, 8), {"lora": {"r": 8, "alpha": 16}, "trainer": {"lr": 0.02}}, overrides=["lora.r=8"])
    found = groups(tmp_path)
    assert [group.name for group in found] == ["lora.r=4", "lora.r=8"]
    assert varied_with(found) == ["lora.alpha", "trainer.lr"] and not is_varied_alone(found, "lora.r")


def test_settings_that_decide_nothing_tell_no_groups_apart(tmp_path: Path):
    plant(tmp_path / "sweep" / "0", share(1, 8), {"lora": {"r": 4}}, seed=0)  # written before there was `again`
    plant(tmp_path / "sweep" / "1", share(1, 8), {"lora": {"r": 4}, "again": "failed", "tracker": {"kind": "none"}}, seed=1)
    assert [len(group.runs) for group in groups(tmp_path / "sweep")] == [2]


def test_a_number_is_named_with_its_key(tmp_path: Path):
    for at, share_of_blocked in enumerate((0.25, 0.5)):
        plant(tmp_path / "sweep" / str(at), share(1, 2), {"split": {"train_blocked_share": share_of_blocked}})
    assert [group.name for group in groups(tmp_path / "sweep")] == ["split.train_blocked_share=0.25", "split.train_blocked_share=0.5"]


def test_one_group_alone_is_called_tuned(tmp_path: Path):
    (only,) = groups(plant(tmp_path / "run", share(1, 2)))
    assert only.name == "tuned" and only.differing == {}


def test_the_gain_over_the_base_has_an_interval_over_seeds(tmp_path: Path):
    first, second = groups(sweep(tmp_path / "sweep"))
    gain = first.gain()
    assert gain is not None and gain.seeds == (0, 1, 2) and gain.low is not None and 0.5 < gain.low < gain.mean < 1
    assert [round(loss, 1) for loss in second.losses()] == [2.0, 2.1, 2.2]


def test_the_same_settings_and_seed_count_once_and_a_run_without_an_eval_is_named(tmp_path: Path):
    for name in ("0", "1"):
        plant(tmp_path / name, share(1, 2))
    bare = plant(tmp_path / "2", share(1, 2))
    (bare / "summary.json").write_text('{"comparisons": {}}')
    runs, lost = evaluated_runs([record for record in map(read, find([str(tmp_path)])) if isinstance(record, FinishedRun)])
    assert [run.folder.name for run in runs] == ["0"]
    assert [(one.folder.name, one.reason.split("/")[0]) for one in lost] == [
        ("1", "the same settings and seed as "),
        ("2", "no evaluation of an adapter in it"),
    ]


def test_adapters_evaluated_by_sekft_eval_are_grouped_by_the_settings_of_their_training(tmp_path: Path):
    made = sweep(tmp_path / "sweep", seeds=2)
    for at in range(4):
        evaluation = plant(tmp_path / "evaluations" / str(at), share(1, 2, at), {"adapter": str(made / str(at) / "adapter")}, seed=77)
        run = json.loads((evaluation / "run.json").read_text())
        (evaluation / "run.json").write_text(json.dumps({**run, "command": "eval"}))
    found = groups(tmp_path / "evaluations")
    assert [(group.name, [run.seed for run in group.runs]) for group in found] == [("assistant", [0, 1]), ("terminal_only", [0, 1])]
    assert list(found[0].differing) == ["trained.mask.rule"]


def test_an_episode_has_its_kind_of_hold_out(tmp_path: Path):
    (group,) = groups(plant(tmp_path / "run", share(1, 2)))
    kinds = {episode.archetype: group.runs[0].holdout_kind(episode) for episode in group.episodes()}
    assert kinds[ARCHETYPES[0]] == "operation the base never saw" and kinds[ARCHETYPES[7]] == "held out of the adapter only"


def test_panics_are_counted_among_panics_and_among_blocked_scenarios():
    episodes = [
        episode("a", "x", True, "panic"), episode("b", "x", False, "panic", "exit"),
        episode("c", "y", False, "exit", "panic"), episode("d", "y", True),
    ]  # fmt: skip
    found = {name: (measure_rate(episodes, name).k, measure_rate(episodes, name).n) for name in MEASURES}
    assert found["panic_precision"] == (1, 2) and found["panic_recall"] == (1, 2) and found["false_panic"] == (1, 4)
    assert found["verified_solvable"] == (1, 2) and found["verified"] == (2, 4) and set(TABLE) <= set(found)


def test_episodes_of_several_seeds_in_one_scenario_are_one_scenario_to_the_interval():
    once, thrice = (
        [episode(f"w{at}", "a", at < 4) for at in range(8)],
        [episode(f"w{at}", "a", at < 4) for at in range(8) for _ in range(3)],
    )
    assert (measure_rate(thrice, "verified").low, measure_rate(thrice, "verified").n) == (measure_rate(once, "verified").low, 24)


def compared(seed: int, difference: float, n: int = 64) -> tuple[int, Paired]:
    wins = round(max(0.0, difference) * n)
    return seed, Paired("verified", n, 0, wins, 0, n - wins, 0.0, difference, None, None, 8, 1.0, 1.0)


def test_several_seeds_have_scipys_t_interval():
    differences = [0.1, 0.4, 0.25, 0.6]
    found = gain_over_seeds([compared(seed, difference) for seed, difference in enumerate(differences)])
    expected = ttest_1samp(differences, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high)) and found.mean == pytest.approx(0.3375)


def test_seeds_that_agree_by_luck_still_have_an_interval_and_a_single_seed_has_none():
    found = gain_over_seeds([compared(seed, 0.25) for seed in range(3)])
    assert found.low is not None and found.low < 0.2 and found.high is not None and found.high > 0.3
    assert gain_over_seeds([compared(0, 0.25)]).low is None


@pytest.mark.parametrize(
    "bad", [[], [(0, None)], [compared(0, 0.1), compared(0, 0.2)], [compared(0, 0.1), compared(1, 0.2, n=32)]],
    ids=["none", "no comparison", "one seed twice", "other scenarios"],
)  # fmt: skip
def test_seeds_that_cannot_be_put_together_are_refused(bad: list[tuple[int, Paired | None]]):
    with pytest.raises(DataError, match="^seeds: "):
        gain_over_seeds(bad)


def test_a_run_with_a_line_cut_in_its_episodes_is_left_out_and_the_others_are_compared(tmp_path: Path):
    whole, damaged = (plant(tmp_path / str(seed), share(1, 2), seed=seed) for seed in range(2))
    lines = (damaged / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (damaged / "episodes.jsonl").write_bytes(b"".join([lines[0], lines[1][:100] + b"\n", *lines[2:]]))
    runs, left_out = evaluated_runs([run for folder in (whole, damaged) if isinstance(run := read(folder), FinishedRun)])
    assert [run.folder for run in runs] == [whole] and [run.folder for run in left_out] == [damaged]
    assert left_out[0].reason.startswith(f"{damaged / 'episodes.jsonl'}:2: ")

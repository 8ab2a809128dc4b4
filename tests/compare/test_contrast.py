"""A difference between groups: paired by scenario, clustered by archetype, with the spread over seeds; and its sentence."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from sekft.compare.contrast import Contrast, contrast_groups, contrast_pairs, contrast_with_base, half_width, sentence, widen
from sekft.eval.paired import interval
from tests.compare.test_groups import groups
from tests.eval.planted_runs import SCENARIOS, plant, share, sweep


def test_a_clear_difference_is_a_sentence_with_its_interval(tmp_path: Path):
    first, second = groups(sweep(tmp_path / "sweep"))
    found = contrast_groups(first, second, "verified")
    assert (found.scenarios, found.archetypes, found.seeds) == (64, 8, (3, 3)) and found.difference == pytest.approx(-2 / 3, abs=0.02)
    assert sentence(found, 0.15).startswith("terminal_only verified 67 points less than assistant [")
    gain = sentence(contrast_with_base(first, "verified"), 0.15)
    assert gain.startswith("assistant verified 79 points more than base [") and "one training seed" not in gain


def test_equal_groups_in_a_large_evaluation_differ_by_less_than_the_margin(tmp_path: Path):
    for seed in range(3):
        for mask in ("one", "other"):
            plant(tmp_path / "sweep" / f"{seed}{mask}", share(4, 8), {"mask": mask}, seed)
    found = contrast_groups(*groups(tmp_path / "sweep"), "verified")
    assert found.difference == 0 and sentence(found, 0.15).startswith("no difference beyond 15 points: other verified as often as one [")
    assert "cannot tell" in sentence(found, 0.01)


def test_seeds_that_scatter_leave_it_open(tmp_path: Path):
    for seed, (one, other) in enumerate(((1, 7), (7, 1), (4, 5))):
        plant(tmp_path / "sweep" / f"{seed}a", share(one, 8), {"mask": "one"}, seed)
        plant(tmp_path / "sweep" / f"{seed}b", share(other, 8), {"mask": "other"}, seed)
    assert sentence(contrast_groups(*groups(tmp_path / "sweep"), "verified"), 0.15).startswith(
        "cannot tell whether other verified more or less than one ["
    )


def test_with_one_seed_per_side_the_sentence_is_about_these_adapters_only(tmp_path: Path):
    found = contrast_groups(*groups(sweep(tmp_path / "sweep", seeds=1)), "verified")
    assert found.seeds == (1, 1) and sentence(found, 0.15).endswith("; one training seed, so this is about these adapters only")


def test_groups_without_a_scenario_in_common_are_not_compared(tmp_path: Path):
    plant(tmp_path / "sweep" / "0", share(1, 2), {"mask": "one"})
    plant(tmp_path / "sweep" / "1", share(1, 2), {"mask": "other"}, scenarios=SCENARIOS[:32])
    assert contrast_groups(*groups(tmp_path / "sweep"), "verified").scenarios == 32
    plant(tmp_path / "far" / "0", share(1, 2), {"mask": "one"}, scenarios=SCENARIOS[:32])
    plant(tmp_path / "far" / "1", share(1, 2), {"mask": "other"}, scenarios=SCENARIOS[32:])
    assert (
        sentence(contrast_groups(*groups(tmp_path / "far"), "verified"), 0.15) == "other and one cannot be compared: they share no scenario"
    )


def test_one_archetype_gives_no_interval():
    assert widen(0.5, None, None, 0.1) == (None, None)
    assert sentence(Contrast("verified", "a", "b", 0.5, None, None, 8, 1, (3, 3)), 0.15) == "cannot tell b from a: 1 archetype, no interval"


def test_the_width_over_seeds_is_scipys():
    one, other = [0.5, 0.7, 0.6], [0.2, 0.4, 0.1]
    welch, single = ttest_ind(one, other, equal_var=False).confidence_interval(), ttest_1samp(one, 0).confidence_interval()
    assert half_width(one, other) == pytest.approx((welch.high - welch.low) / 2)
    assert half_width(one) == pytest.approx((single.high - single.low) / 2)
    assert half_width([0.5]) == half_width([0.5, 0.5], [0.1, 0.1]) == half_width([0.5, 0.6], [0.1]) == 0.0


def test_a_setting_is_judged_in_pairs_of_runs_so_that_other_swept_settings_widen_no_interval(tmp_path: Path):
    for at, (rank, lr, of) in enumerate(((4, 1, 1), (16, 1, 2), (4, 2, 6), (16, 2, 7))):
        plant(tmp_path / "sweep" / str(at), share(of, 8), {"lora": {"r": rank}, "trainer": {"lr": lr}})
    low, high, low_too, high_too = (group.runs[0] for group in groups(tmp_path / "sweep"))
    found = contrast_pairs([(low, high), (low_too, high_too)], "r=4", "r=16", "verified")
    assert found.difference == pytest.approx(1 / 8) and found.seeds == (2, 2) and found.scenarios == 64
    assert found.low is not None and found.high is not None and found.low > 0 and found.high < 0.3
    assert half_width([5 / 8, 0]) > 3  # as two independent seeds these runs would give no usable interval


def coverage(seeds: int, gain: float, over_archetypes: float, over_seeds: float, widened: bool = True, others: int = 0) -> float:
    """How often the interval covers the true gain if gains differ between archetypes and between trainings. 8 x 8 scenarios.

    others: the number of values of another swept setting, each lowering all rates by 10 more points; runs are judged in pairs.
    """
    rng, repeats = np.random.default_rng(0), 300
    held = 0
    lower = np.repeat(np.arange(max(1, others)) / 10, seeds)[:, None, None]
    seeds = len(lower)
    for _ in range(repeats):
        shift = gain + over_archetypes * rng.uniform(-1, 1, size=(8, 1, 1))
        before = rng.random((seeds, 8, 8)) < 0.4 - lower + over_seeds * rng.uniform(-1, 1, size=(seeds, 1, 1))
        chance = 0.4 - lower + shift.transpose(2, 0, 1) + over_seeds * rng.uniform(-1, 1, size=(seeds, 1, 1))
        after = rng.random((seeds, 8, 8)) < chance
        gains = after.mean(axis=0) - before.mean(axis=0)
        moved, squared = gains.sum(), (gains**2).sum()  # as in paired.pair
        low, high = interval(gains.mean(axis=1), (squared + moved) / 2, (squared - moved) / 2, 64)
        one, other = before.mean(axis=(1, 2)), after.mean(axis=(1, 2))
        half = 0.0 if not widened else half_width(other - one) if others else half_width(other, one)
        low, high = widen(float(gains.mean()), float(low), float(high), half)
        held += low <= gain <= high
    return held / repeats


@pytest.mark.parametrize("seeds", [3, pytest.param(5, marks=pytest.mark.exhaustive)])
def test_the_interval_covers_where_archetypes_and_seeds_both_scatter(seeds: int):
    found = {(gain, a, s): coverage(seeds, gain, a, s) for gain in (0.0, 0.3) for a in (0.0, 0.2) for s in (0.0, 0.2)}
    assert min(found.values()) >= 0.93 - 0.025, found  # two standard errors of 300 draws


def test_the_interval_of_a_setting_among_others_covers_too():
    found = {(gain, a): coverage(2, gain, a, 0.15, others=2) for gain in (0.0, 0.3) for a in (0.0, 0.15)}
    assert min(found.values()) >= 0.93 - 0.025, found


def test_an_interval_over_scenarios_alone_would_fail_the_same_simulation():
    assert coverage(3, 0.0, 0.0, 0.2, widened=False) < 0.85

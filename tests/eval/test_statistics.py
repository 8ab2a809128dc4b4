"""Rates, pairing and verdict, against numbers known from elsewhere and by property."""

import random

import pytest

from sekft.config import EvalConfig
from sekft.eval import gate, paired, power, rates
from tests.eval.planted import episode, episodes


def test_wilson_intervals_equal_the_published_ones():
    assert (round(rates.rate(9, 16).low, 2), round(rates.rate(9, 16).high, 2)) == (0.33, 0.77)
    assert (rates.rate(0, 16).low, round(rates.rate(0, 16).high, 2)) == (0.0, 0.19)
    assert (rates.rate(0, 0).low, rates.rate(0, 0).high) == (0.0, 1.0)


def test_mcnemar_is_exact_and_symmetric():
    assert round(paired.mcnemar(9, 0), 4) == 0.0039
    assert paired.mcnemar(3, 7) == paired.mcnemar(7, 3)
    assert paired.mcnemar(0, 0) == 1.0


def test_power_equals_the_published_table():
    for n, gain, expected in ((16, 0.3, 0.31), (32, 0.3, 0.75), (64, 0.2, 0.83), (100, 0.15, 0.84), (200, 0.1, 0.88)):
        assert power.power(n, gain) == pytest.approx(expected, abs=0.015)


def test_needed_scenarios_are_the_fewest_that_promote():
    n = power.scenarios_needed(0.3, 8)
    assert n is not None and power.promotion(n, 8, 0.3) >= power.POWER > power.promotion(n // 2, 8, 0.3)
    assert power.scenarios_needed(0.2, 1) is None and power.scenarios_needed(0.0, 8) is None


def test_the_whole_rule_is_never_easier_than_its_parts():
    for n, archetypes, gain in ((32, 2, 0.35), (32, 4, 0.35), (128, 8, 0.2)):
        assert power.promotion(n, archetypes, gain) <= power.power(n, gain) + 0.03
    assert power.promotion(256, 2, 0.35) < power.promotion(256, 8, 0.35)


def test_promotion_by_simulation_agrees_with_the_rule_itself():
    rng = random.Random(0)
    promoted = 0
    for _ in range(150):
        drawn = [rng.random() for _ in range(64)]
        promoted += judged([0.85 <= one < 0.9 for one in drawn], [one < 0.3 for one in drawn], archetypes=8) == "promote"
    assert promoted / 150 == pytest.approx(power.promotion(64, 8, 0.25), abs=0.08)


def test_a_broken_episode_counts_as_not_verified():
    score = rates.rates([episode("a", "x", True), episode("b", "x", False, ending="broken")])
    assert (score["verified"].k, score["verified"].n) == (1, 2)


def test_an_immediate_panic_in_a_solvable_scenario_ends_it_but_verifies_nothing():
    score = rates.rates([episode("a", "x", False, "exit", "panic")])
    assert (score["terminated"].k, score["right_terminal"].k, score["verified"].k) == (1, 0, 0)


def test_panic_precision_and_recall():
    score = rates.panic_rates(
        [episode("a", "x", True, "panic"), episode("b", "x", False, "exit", "panic"), episode("c", "x", False, "panic")]
    )
    assert (score["precision"].k, score["precision"].n) == (1, 2)
    assert (score["recall"].k, score["recall"].n) == (1, 2)


def judged(before: list[bool], after: list[bool], obstacle: str = "", archetypes: int = 4) -> str:
    base, tuned = episodes(before, archetypes), episodes(after, archetypes)
    agents = {"base": base, "tuned": tuned, "reference": episodes([True] * len(before), archetypes)}
    return gate.judge(agents, {"verified": paired.pair(base, tuned, "verified")}, EvalConfig(), obstacle).verdict


def test_a_clear_gain_over_all_archetypes_is_promoted_unless_there_is_an_obstacle():
    assert judged([False] * 32, [True] * 30 + [False] * 2) == "promote"
    assert judged([False] * 32, [True] * 30 + [False] * 2, obstacle="render unproven") == "hold (better, but render unproven)"


def test_a_loss_is_held():
    assert judged([True] * 32, [False] * 32).startswith("hold (worse")


def test_a_better_result_never_gets_a_worse_verdict_by_ties():
    three_and_three = [at < 6 for at in range(32)]
    three_and_four = [at < 7 for at in range(32)]
    for won in (three_and_three, three_and_four):
        assert judged([False] * 32, won, archetypes=2).startswith("inconclusive")


def test_a_small_eval_says_how_many_scenarios_it_would_need():
    verdict = judged([False] * 8, [True, False, True, False] + [False] * 4, archetypes=4)
    assert verdict.startswith("inconclusive (needs n >= ")


def test_one_win_and_one_loss_decide_nothing():
    assert judged([True, False, True, False], [False, True, False, True], archetypes=2).startswith("inconclusive")


def test_agents_that_never_differ_in_a_small_eval_decide_nothing():
    assert judged([False] * 4, [False] * 4, archetypes=2).startswith("inconclusive")


def test_equal_agents_in_a_large_eval_are_held():
    rng = random.Random(1)
    before = [rng.random() < 0.5 for _ in range(2000)]
    assert judged(before, [one != (rng.random() < 0.02) for one in before], archetypes=8).startswith("hold (the interval excludes a gain")


def test_too_many_broken_episodes_are_unmeasured():
    base = episodes([False] * 8)
    tuned = [episode(one.scenario_id, one.archetype, False, ending="broken") for one in base]
    agents = {"base": base, "tuned": tuned, "reference": episodes([True] * 8)}
    verdict = gate.judge(agents, {"verified": paired.pair(base, tuned, "verified")}, EvalConfig()).verdict
    assert verdict.startswith("unmeasured (100% of tuned's episodes broken")


def test_a_broken_episode_of_the_base_is_no_win():
    base = [
        episode(one.scenario_id, one.archetype, False, ending="broken") if at < 3 else one for at, one in enumerate(episodes([False] * 32))
    ]
    pairing = paired.pair(base, episodes([at < 6 for at in range(32)]), "verified")
    assert (pairing.n, pairing.wins) == (29, 3)


def test_limits_under_which_the_reference_loses_measure_nothing():
    agents = {"base": episodes([False] * 8), "tuned": episodes([False] * 8), "reference": episodes([True] * 7 + [False])}
    pairing = paired.pair(agents["base"], agents["tuned"], "verified")
    assert "the reference itself loses 1 of 8 scenarios" in gate.judge(agents, {"verified": pairing}, EvalConfig()).verdict


def test_one_archetype_has_no_interval_and_is_never_promoted():
    base, tuned = episodes([False] * 32, 1), episodes([True] * 32, 1)
    assert paired.pair(base, tuned, "verified").low is None
    assert judged([False] * 32, [True] * 32, archetypes=1) == "inconclusive (needs more archetypes than 1)"

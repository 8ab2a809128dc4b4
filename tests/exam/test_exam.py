"""Rates, pairing and verdict, against numbers known from elsewhere and by property."""

import pytest

from sekft.config import EvalConfig
from sekft.exam import gate, paired, rates
from sekft.rendering.messages import Message
from sekft.rollout.trajectory import Command, Ending, Trajectory
from sekft.rollout.verdict import kept, outcome
from sekft.scenario.bundle import Terminal


def life(bundle: str, archetype: str, won: bool, terminal: str = "exit", ending: str | None = None) -> Trajectory:
    ended = Ending(ending or (terminal if won else "turn_limit"))
    checked = None if ended is Ending.broken else won
    result = outcome(ended, checked, True, Terminal(terminal))
    return Trajectory(
        id=f"{bundle}#0", bundle_id=bundle, archetype=archetype, operator="x", messages=(Message(role="user", content="$ "),),
        commands=(Command(turn=1, text="ls", status=0),), ending=ended, checked=checked, clean=True, outcome=result, kept=kept(result),
        meta={"terminal": terminal},
    )  # fmt: skip


def lives(results: list[bool], archetypes: int = 4) -> list[Trajectory]:
    return [life(f"w-{index}", f"a{index % archetypes}", won) for index, won in enumerate(results)]


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
        assert paired.power(n, gain) == pytest.approx(expected, abs=0.015)


def test_needed_worlds_are_the_fewest_with_enough_power():
    n = paired.needed(0.2)
    assert n is not None and paired.power(n, 0.2) >= paired.POWER > paired.power(n - 2, 0.2)


def test_a_broken_life_counts_as_not_verified():
    score = rates.rates([life("a", "x", True), life("b", "x", False, ending="broken")])
    assert (score["verified"].k, score["verified"].n) == (1, 2)


def test_an_immediate_panic_in_a_solvable_world_ends_it_but_verifies_nothing():
    score = rates.rates([life("a", "x", False, "exit", "panic")])
    assert (score["terminated"].k, score["right_terminal"].k, score["verified"].k) == (1, 0, 0)


def test_panic_precision_and_recall():
    score = rates.panics([life("a", "x", True, "panic"), life("b", "x", False, "exit", "panic"), life("c", "x", False, "panic")])
    assert (score["precision"].k, score["precision"].n) == (1, 2)
    assert (score["recall"].k, score["recall"].n) == (1, 2)


def judged(before: list[bool], after: list[bool], proven: bool = True) -> str:
    base, tuned = lives(before), lives(after)
    limits = EvalConfig()
    return gate.verdict(base, tuned, paired.pair(base, tuned, "verified"), limits, proven)


def test_a_clear_gain_over_all_archetypes_is_promoted_only_when_the_render_is_proven():
    assert judged([False] * 32, [True] * 30 + [False] * 2) == "promote"
    assert judged([False] * 32, [True] * 30 + [False] * 2, proven=False).startswith("hold")


def test_a_loss_is_held():
    assert judged([True] * 32, [False] * 32).startswith("hold (worse")


def test_a_small_exam_says_how_many_worlds_it_would_need():
    assert judged([False] * 8, [True, False, True, False] + [False] * 4).startswith("inconclusive (needs n >= ")


def test_equal_players_are_inconclusive():
    assert judged([True, False] * 8, [True, False] * 8).startswith("inconclusive")


def test_too_many_broken_lives_are_unmeasured():
    base = lives([False] * 8)
    tuned = [life(one.bundle_id, one.archetype, False, ending="broken") for one in base]
    verdict = gate.verdict(base, tuned, paired.pair(base, tuned, "verified"), EvalConfig(), True)
    assert verdict.startswith("unmeasured (100% of tuned's lives broken")


def test_one_archetype_has_no_interval_and_is_never_promoted():
    base, tuned = lives([False] * 32, 1), lives([True] * 32, 1)
    pairing = paired.pair(base, tuned, "verified")
    assert pairing.low is None
    assert gate.verdict(base, tuned, pairing, EvalConfig(), True).startswith("inconclusive (needs more archetypes")

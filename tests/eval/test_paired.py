"""Intervals cover what they claim, several comparisons and several attempts are accounted for as published."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from scipy.stats import t as student

from sekft.eval import paired, rates
from sekft.eval.attempts import pass_all, pass_at, score_attempts
from sekft.eval.paired import interval
from tests.eval.planted import episode, episodes

REPEATS = 2000


def coverage(archetypes: int, per_archetype: int, gain: float, spread: float) -> float:
    """How often the interval holds the true mean gain, when every archetype draws its own from a distribution cut at zero."""
    rng = np.random.default_rng(0)

    def chances(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        win = np.clip(gain + 0.05 + spread * z, 0.0, 0.95)
        return win, np.minimum(0.05, 1 - win)

    win, lose = chances(rng.normal(size=200_000))
    true = (win - lose).mean()
    win, lose = chances(rng.normal(size=(REPEATS, archetypes)))
    drawn = rng.multinomial(per_archetype, np.stack([win, lose, 1 - win - lose], axis=-1))
    wins, losses = drawn[..., 0], drawn[..., 1]
    low, high = interval((wins - losses) / per_archetype, wins.sum(axis=1), losses.sum(axis=1), archetypes * per_archetype)
    return float(((low <= true) & (true <= high)).mean())


@pytest.mark.parametrize("archetypes", [8, 16, 28])
def test_the_interval_covers_the_true_gain_also_where_few_archetypes_carry_it(archetypes: int):
    found = {
        (per, gain, spread): coverage(archetypes, per, gain, spread)
        for per in (2, 4, 8, 16)
        for gain in (0.0, 0.2, 0.6)
        for spread in (0.0, 0.15, 0.3, 0.45)
    }
    assert min(found.values()) >= 0.93 - 0.011, min(found.items(), key=lambda item: item[1])  # two standard errors of 2,000 draws
    assert np.mean(list(found.values())) >= 0.95


FROZEN = np.array([8] * 8 + [2] * 29)  # scenarios by archetype of the frozen test set: held out, then trained


@pytest.mark.parametrize("gain", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("spread", [0.0, 0.15, 0.3, 0.45])
@pytest.mark.parametrize("of_held_out", [None, 0.0, 0.3, 0.8])
def test_archetypes_of_different_size_count_by_their_scenarios(gain: float, spread: float, of_held_out: float | None):
    rng = np.random.default_rng(0)
    gains = np.where(FROZEN == 8, gain if of_held_out is None else of_held_out, gain)

    def chances(draws: int) -> tuple[np.ndarray, np.ndarray]:
        win = np.clip(gains + 0.05 + spread * rng.normal(size=(draws, len(FROZEN))), 0.0, 0.95)
        return win, np.minimum(0.05, 1 - win)

    win, lose = chances(50_000)
    true = ((win - lose) @ FROZEN).mean() / FROZEN.sum()
    win, lose = chances(REPEATS)
    drawn = rng.multinomial(np.broadcast_to(FROZEN, win.shape), np.stack([win, lose, 1 - win - lose], axis=-1))
    wins, losses = drawn[..., 0], drawn[..., 1]
    low, high = interval((wins - losses) / FROZEN, wins.sum(axis=1), losses.sum(axis=1), int(FROZEN.sum()), FROZEN)
    estimate = (wins - losses).sum(axis=1) / FROZEN.sum()
    assert ((low <= estimate) & (estimate <= high)).all()  # the mean over archetypes lay outside where the groups differed
    assert ((low <= true) & (true <= high)).mean() >= 0.93 - 0.011


def test_a_plain_t_interval_would_fail_the_same_simulation(monkeypatch: pytest.MonkeyPatch):
    def plain(means, wins, losses, n):
        half = student.ppf(0.975, means.shape[-1] - 1) * means.std(axis=-1, ddof=1) / means.shape[-1] ** 0.5
        return means.mean(axis=-1) - half, means.mean(axis=-1) + half

    monkeypatch.setitem(globals(), "interval", plain)
    assert coverage(8, 16, 0.0, 0.45) < 0.91


def test_equal_means_by_luck_still_have_an_interval():
    low, high = interval(np.array([0.5, 0.5, 0.5]), 6, 0, 12)
    assert low < 0.3 and high > 0.7


def test_holm_equals_the_published_example():
    found = paired.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})  # R: p.adjust(c(.01, .04, .03, .005), "holm")
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert paired.holm({"only": 0.2}) == {"only": 0.2} and paired.holm({"a": 0.9, "b": 0.8})["a"] == 1.0


def test_mcnemar_equals_scipy_and_its_own_sum():
    for wins, losses in ((9, 0), (7, 3), (12, 5), (1, 1)):
        tail = binom.cdf(min(wins, losses), wins + losses, 0.5)
        assert paired.mcnemar(wins, losses) == pytest.approx(min(1.0, 2 * tail)) == pytest.approx(binomtest(wins, wins + losses).pvalue)


def test_attempts_at_one_scenario_are_no_new_evidence():
    once = [episode(f"w{at}", "a", at < 8) for at in range(16)]
    thrice = [episode(f"w{at}", "a", at < 8, attempt=attempt) for at in range(16) for attempt in range(3)]
    one, three = rates.rates(once)["verified"], rates.rates(thrice)["verified"]
    assert (three.k, three.n) == (24, 48) and (three.low, three.high) == (one.low, one.high)
    pair = paired.pair([episode(f"w{at}", "a", False) for at in range(16)], thrice, "verified")
    assert (pair.n, pair.wins, pair.difference) == (16, 8, 0.5)


def test_scenarios_are_compared_by_the_share_of_attempts():
    base = [episode("w", "a", False, attempt=at) for at in range(2)] + [episode("v", "b", True, attempt=at) for at in range(2)]
    tuned = [episode("w", "a", at == 0, attempt=at) for at in range(2)] + [episode("v", "b", True, attempt=at) for at in range(2)]
    pair = paired.pair(base, tuned, "verified")
    assert (pair.n, pair.wins, pair.losses, pair.both, pair.difference, pair.base_rate) == (2, 1, 0, 1, 0.25, 0.5)


def test_episodes_of_many_attempts_narrow_the_interval_and_single_ones_give_it_as_before():
    def width(attempts: int) -> float:
        rng = np.random.default_rng(1)
        sides = [
            [episode(f"w{w}", f"a{w % 8}", bool(rng.random() < 0.5), attempt=at) for w in range(64) for at in range(attempts)]
            for _ in (0, 1)
        ]
        found = paired.pair(*sides, "verified")
        assert found.low is not None and found.high is not None
        return found.high - found.low

    assert width(1) > 1.5 * width(4) > 1.5 * 1.5 * width(16)


def test_pass_at_k_and_pass_all_k_equal_the_counts_of_every_draw():
    from itertools import combinations

    for n, c, k in ((5, 2, 3), (4, 0, 2), (6, 6, 4), (3, 1, 1)):
        draws = list(combinations([True] * c + [False] * (n - c), k))
        assert pass_at(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))
        assert pass_all(n, c, k) == pytest.approx(sum(map(all, draws)) / len(draws))


def test_a_single_attempt_has_no_pass_at_k():
    assert score_attempts(episodes([True, False]), "verified") is None
    both = score_attempts(
        [episode("w", "a", at > 0, attempt=at) for at in range(3)] + [episode("v", "a", False, attempt=at) for at in range(2)], "verified"
    )
    assert both is not None and both.attempts == 2
    assert both.pass_at == pytest.approx({1: 1 / 3, 2: 1 / 2}) and both.pass_all == pytest.approx({1: 1 / 3, 2: 1 / 6})

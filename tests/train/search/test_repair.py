"""The mix after lost episodes: ordinary if nothing was lost, never less against a larger loss, and always trainable."""

from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given
from hypothesis import strategies as st

from sekft.cli.settings import conf_folder, settings
from sekft.config import TrainConfig, commands
from sekft.scenario import split
from sekft.train.search.repair import MAX_WEIGHT, SHARES, EpisodeCounts, Mix, choose_mix, count, explain
from tests.eval.planted import episode

DIRECTIVES = ("Append the line: pumpkin nickel garden to fiddle.txt.",)
SHOWN = (("olbrin due", f"1. {DIRECTIVES[0]}\n$ "),)


def parts(most: int = 40) -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(0, most).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


COUNTS = st.builds(
    lambda archetypes, missed, false, astray: EpisodeCounts(astray[1], 0, {}, archetypes, missed, false, astray[0]),
    st.dictionaries(st.sampled_from(("append", "copy", "count")), parts(8)), parts(), parts(), parts(),
)  # fmt: skip


def one_more(pair: tuple[int, int]) -> tuple[int, int]:
    return min(pair[0] + 1, pair[1]), pair[1]


@given(COUNTS)
def test_the_mix_stays_within_its_bounds_and_never_decreases_with_a_larger_loss(counts: EpisodeCounts):
    made = choose_mix(counts)
    assert SHARES[0] <= made.blocked_share + 0.01 and made.blocked_share <= SHARES[1] and 0 <= made.noise <= 0.5
    assert all(1 < weight <= MAX_WEIGHT and counts.archetypes[name][0] for name, weight in made.weights.items())
    assert choose_mix(replace(counts, missed=one_more(counts.missed))).blocked_share >= made.blocked_share
    assert choose_mix(replace(counts, false=one_more(counts.false))).blocked_share <= made.blocked_share
    assert choose_mix(replace(counts, astray=min(counts.astray + 1, counts.played))).noise >= made.noise
    more = choose_mix(replace(counts, archetypes={name: one_more(pair) for name, pair in counts.archetypes.items()}))
    assert all(more.weights[name] >= weight for name, weight in made.weights.items())


def test_the_mix_is_ordinary_if_nothing_was_lost():
    won = [episode("a", "append", True, turns=SHOWN), episode("b", "copy", True, "panic", turns=SHOWN)]
    assert choose_mix(count(won, {})) == choose_mix(count([], {})) == Mix()


def test_each_kind_of_loss_moves_its_own_part_of_the_mix():
    won = [episode(f"w{at}", "append", True, turns=SHOWN) for at in range(3)] + [episode("w3", "append", True, "panic", turns=SHOWN)]

    def after(**lost: object) -> Mix:
        return choose_mix(count([*won, episode("x", "copy", False, turns=SHOWN, **lost)], {"x": DIRECTIVES}))

    assert after(terminal="panic", ending="exit", checked=True) == Mix({"copy": 4}, blocked_share=0.38)
    assert after(ending="panic", checked=True) == Mix({"copy": 4}, blocked_share=0.19)
    assert after(ending="exit") == Mix({"copy": 4})
    assert after(ending="turn_limit", checked=False) == Mix({"copy": 4}, noise=0.2)
    assert after(ending="turn_limit", checked=True) == Mix({"copy": 4})  # it found its way and only went on
    assert after(ending="broken") == Mix()


def test_a_rationale_has_the_counts_and_whether_the_mix_follows_them():
    counts = count([episode("x", "copy", False, "panic", "exit", turns=SHOWN, checked=True), episode("w", "append", True, turns=SHOWN)], {})
    rationale = explain(counts, choose_mix(counts), True)
    assert rationale.lines[0] == "1 of 2 episodes lost (missed_panic 1)" and "copy 1/1: 4" in rationale.lines[1]
    assert "blocked scenarios 0.5: 1 of 1 not ended by panic, 0 of 1 solvable ones ended by it" in rationale.lines
    assert counts.missed == (1, 1) and rationale.mix == choose_mix(counts) and rationale.mix.weights == {"copy": 4}
    assert explain(counts, Mix(), False).lines == ("repair.aimed=false: the ordinary mix, whatever was lost",)


@pytest.fixture
def hydra_here():
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield


def test_a_training_draws_its_scenarios_by_the_overrides_of_a_mix(hydra_here: None):
    words = Mix({"copy": 4, "count": 2}, 0.5, 0.3).overrides(["shell"])
    made = settings(compose("train", words), TrainConfig)
    assert made.data.sources["shell"].noise == 0.3
    scenarios = split.scenarios(made.split, "train", amount=64)
    assert (
        sum(scenario.archetype == "copy" for scenario in scenarios) > 4
        and sum(scenario.terminal == "panic" for scenario in scenarios) == 32
    )
    assert not {scenario.archetype for scenario in scenarios} & set(made.split.held_out)
    plain = settings(compose("train", Mix().overrides(["shell"])), TrainConfig)
    assert split.scenarios(plain.split, "train") == split.scenarios(settings(compose("train"), TrainConfig).split, "train")

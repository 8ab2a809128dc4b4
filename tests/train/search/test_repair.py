"""What lost episodes ask for: nothing lost asks for nothing, more of a loss never for less against it, and all can be trained on."""

from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given
from hypothesis import strategies as st

from sekft.cli.settings import conf_folder, settings
from sekft.config import TrainConfig, commands
from sekft.scenario import split
from sekft.train.search.repair import MOST_TURNS, SHARES, Counted, Mix, counted, mix, rationale
from tests.eval.planted import episode

TOLD = ("Append the line: pumpkin nickel garden to fiddle.txt.",)
SHOWN = (("olbrin due", f"1. {TOLD[0]}\n$ "),)


def parts(most: int = 40) -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(0, most).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


COUNTED = st.builds(
    lambda archetypes, missed, false, astray: Counted(astray[1], 0, {}, archetypes, missed, false, astray[0]),
    st.dictionaries(st.sampled_from(("append", "copy", "count")), parts(8)), parts(), parts(), parts(),
)  # fmt: skip


def one_more(pair: tuple[int, int]) -> tuple[int, int]:
    return min(pair[0] + 1, pair[1]), pair[1]


@given(COUNTED)
def test_the_mix_stays_within_its_bounds_and_more_of_a_loss_never_asks_for_less_against_it(found: Counted):
    made = mix(found)
    assert SHARES[0] <= made.blocked_share + 0.01 and made.blocked_share <= SHARES[1] and 0 <= made.noise <= 0.5
    assert all(1 < turns <= MOST_TURNS and found.archetypes[name][0] for name, turns in made.weights.items())
    assert mix(replace(found, missed=one_more(found.missed))).blocked_share >= made.blocked_share
    assert mix(replace(found, false=one_more(found.false))).blocked_share <= made.blocked_share
    assert mix(replace(found, astray=min(found.astray + 1, found.played))).noise >= made.noise
    more = mix(replace(found, archetypes={name: one_more(pair) for name, pair in found.archetypes.items()}))
    assert all(more.weights[name] >= turns for name, turns in made.weights.items())


def test_nothing_lost_asks_for_the_ordinary_mix():
    won = [episode("a", "append", True, turns=SHOWN), episode("b", "copy", True, "panic", turns=SHOWN)]
    assert mix(counted(won, {})) == mix(counted([], {})) == Mix()


def test_each_kind_of_loss_moves_its_own_part_of_the_mix():
    won = [episode(f"w{at}", "append", True, turns=SHOWN) for at in range(3)] + [episode("w3", "append", True, "panic", turns=SHOWN)]

    def after(**lost: object) -> Mix:
        return mix(counted([*won, episode("x", "copy", False, turns=SHOWN, **lost)], {"x": TOLD}))

    assert after(terminal="panic", ending="exit", checked=True) == Mix({"copy": 4}, blocked_share=0.38)
    assert after(ending="panic", checked=True) == Mix({"copy": 4}, blocked_share=0.19)
    assert after(ending="exit") == Mix({"copy": 4})
    assert after(ending="turn_limit", checked=False) == Mix({"copy": 4}, noise=0.2)
    assert after(ending="turn_limit", checked=True) == Mix({"copy": 4})  # it found its way and only went on
    assert after(ending="broken") == Mix()


def test_a_rationale_says_the_counts_and_whether_the_mix_follows_them():
    found = counted(
        [episode("x", "copy", False, "panic", "exit", turns=SHOWN, checked=True), episode("w", "append", True, turns=SHOWN)], {}
    )
    told = rationale(found, mix(found), True)
    assert told["said"][0] == "1 of 2 episodes lost (missed_panic 1)" and "copy 1/1: 4" in told["said"][1]
    assert "blocked scenarios 0.5: 1 of 1 not left by panic, 0 of 1 solvable ones left by it" in told["said"]
    assert told["counted"]["missed"] == (1, 1) and told["mix"]["weights"] == {"copy": 4}
    assert rationale(found, Mix(), False)["said"] == ["repair.aimed=false: the ordinary mix, whatever was lost"]


@pytest.fixture
def hydra_here():
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield


def test_a_mix_as_overrides_is_what_a_training_draws_its_scenarios_by(hydra_here: None):
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

"""The gate: three tiers, a reason for everything, the right verdict for synthetic evaluations."""

from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from sekft.cli.settings import conf_folder, settings
from sekft.config import EvalCommandConfig, EvalConfig, TrainConfig, commands
from sekft.episode.outcome import TROUBLE
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import SettingsError, VerdictError
from sekft.eval import gate
from sekft.eval.criterion import Tier, judge_rate
from sekft.eval.gate import Judgement
from sekft.eval.paired import Paired, pair
from tests.eval.planted import episode, episodes

NEVER_UP = {"false_panic": {"tier": "supporting", "rule": "not_up", "margin": 0.05}}


def shipped(command: str = "eval", *overrides: str) -> EvalConfig:
    commands.register()
    with initialize_config_dir(str(conf_folder().resolve()), version_base="1.3"):
        return settings(compose(command, list(overrides)), {"eval": EvalCommandConfig, "train": TrainConfig}[command]).eval


def judged(base: list[Trajectory], tuned: list[Trajectory], config: EvalConfig, **more) -> Judgement:
    agents = {"base": base, "tuned": tuned, "reference": episodes([True] * len(base), 8)}
    return gate.judge(agents, {name: pair(base, tuned, name) for name in gate.criteria(config) if name != gate.LOSS}, config, **more)


def state(judgement: Judgement, criterion: str) -> str:
    return next(one.state for one in judgement.findings if one.criterion == criterion)


def test_the_shipped_gate_has_three_tiers_and_every_eval_option_has_the_gate():
    assert {line["tier"] for line in shipped().gate.values()} == set(Tier)
    assert shipped().gate == shipped("train", "eval=full").gate != {}
    assert shipped("eval", "eval.gate.terminated.tier=informational").gate["terminated"]["tier"] == "informational"


def test_the_shipped_gate_asks_for_gains_in_what_matters_and_for_no_harm():
    lines = gate.criteria(shipped())
    assert {name: (line.tier.value, line.rule.value) for name, line in lines.items() if line.tier is not Tier.informational} == {
        "verified": ("critical", "up"), "terminated": ("critical", "up"),
        "false_panic": ("supporting", "not_up"), "loss": ("supporting", "not_up"),
    }  # fmt: skip


def test_an_equal_adapter_is_held():
    same = episodes([at % 3 == 0 for at in range(2000)], 8)
    nothing = "the interval excludes a gain of 5 points"
    assert judged(same, same, shipped()).verdict == f"hold ({nothing}; terminated: {nothing})"


def test_a_gain_is_promoted_and_every_criterion_has_a_finding():
    found = judged(episodes([False] * 64, 8), episodes([at < 56 for at in range(64)], 8), shipped())
    assert found.verdict == "promote"
    assert [one.criterion for one in found.findings][:3] == ["verified", "terminated", "false_panic"]
    assert [one.state for one in found.findings if one.tier == "critical"] == ["met", "met"]
    assert state(found, "loss") == "not measured"


def test_episodes_that_an_endpoint_did_not_answer_measure_nothing():
    whole = episodes([False] * 64, 8)
    gone = [one.model_copy(update={"ending": Ending.broken, "meta": {**one.meta, TROUBLE: "endpoint overloaded"}}) for one in whole]
    assert judged(whole, gone, shipped()).verdict.startswith("unmeasured (100% of tuned's episodes broken: endpoint overloaded 64, allowed")
    old = [Trajectory.model_validate(one.model_dump() | {"ending": "silent", "reason": "endpoint http 503"}) for one in whole]
    assert judged(whole, old, shipped()).verdict.startswith("unmeasured (100% of tuned's episodes broken, allowed")


def test_few_scenarios_are_inconclusive():
    assert judged(episodes([False] * 8), episodes([at < 3 for at in range(8)]), shipped()).verdict.startswith("inconclusive (needs n >= ")


def test_a_base_that_already_ends_its_episodes_need_not_end_more_of_them():
    base = [episode(f"w-{at}", f"a{at % 8}", False, ending="exit") for at in range(64)]
    tuned = [episode(f"w-{at}", f"a{at % 8}", at < 48, ending="exit") for at in range(64)]
    assert judged(base, tuned, shipped()).verdict == "promote"
    strict = shipped("eval", "eval.gate.terminated.enough=null")
    assert judged(base, tuned, strict).verdict.startswith("hold (terminated: the interval excludes a gain")


def test_a_critical_rate_that_did_not_move_keeps_the_verdict_open():
    base = [episode(f"w-{at}", f"a{at % 8}", False, ending="turn_limit" if at % 4 == 3 else "exit") for at in range(32)]
    tuned = [episode(f"w-{at}", f"a{at % 8}", at % 4 < 3, ending="turn_limit" if at % 4 == 3 else "exit") for at in range(32)]
    found = judged(base, tuned, shipped())
    assert state(found, "verified") == "met" and state(found, "terminated") == "undecided" and found.verdict.startswith("inconclusive")


def test_more_false_panics_hold_a_better_adapter():
    base = episodes([False] * 64, 8)
    tuned = [episode(f"w-{at}", f"a{at % 8}", at % 2 == 0, ending="exit" if at % 2 == 0 else "panic") for at in range(64)]
    found = judged(base, tuned, EvalConfig(gate=NEVER_UP))
    assert found.verdict == "hold (false_panic: up by 50 points, 5 allowed)"
    assert judged(base, tuned, EvalConfig()).verdict == "promote"


def test_a_supporting_criterion_that_is_only_undecided_does_not_hold():
    found = judged(episodes([False] * 32, 8), episodes([at < 30 for at in range(32)], 8), EvalConfig(gate=NEVER_UP))
    assert state(found, "false_panic") == "undecided" and found.verdict == "promote"


@pytest.mark.parametrize(("tuned", "verdict"), [(2.05, "promote"), (1.0, "promote"), (2.5, "hold (loss of story: +0.500 nats")])
def test_a_loss_that_rose_too_much_holds_a_better_adapter(tuned: float, verdict: str):
    found = judged(episodes([False] * 64, 8), episodes([at < 56 for at in range(64)], 8), shipped(), losses={"story": (2.0, tuned)})
    assert found.verdict.startswith(verdict) and state(found, "loss of story") == ("met" if verdict == "promote" else "not met")


def test_a_hold_names_every_criterion_that_was_not_met():
    base = [episode(f"w-{at}", f"a{at % 8}", False, ending="exit") for at in range(64)]
    tuned = [episode(f"w-{at}", f"a{at % 8}", at % 2 == 0, ending="exit" if at % 2 == 0 else "panic") for at in range(64)]
    said = judged(base, tuned, shipped(), losses={"prose": (2.0, 2.25)}).verdict
    assert said == "hold (false_panic: up by 50 points, 5 allowed; loss of prose: +0.250 nats per token, +0.100 allowed)"


def test_a_critical_loss_that_nobody_measured_promotes_nothing():
    gain = episodes([False] * 64, 8), episodes([at < 56 for at in range(64)], 8)
    asked = shipped("eval", "eval.gate.loss.tier=critical")
    assert judged(*gain, asked).verdict == "inconclusive (needs the loss on a text)"
    assert judged(*gain, asked, losses={"story": (2.0, 2.0)}).verdict == "promote"


def test_a_small_gain_that_is_shown_is_no_worse_than_one_that_is_not():
    line = gate.criteria(shipped())["terminated"]
    gained = Paired("terminated", 128, 120, 6, 0, 2, 120 / 128, 6 / 128, 0.01, 0.09, 8, 0.031, 0.031)
    assert judge_rate(gained, line).state == judge_rate(replace(gained, low=-0.01), line).state == "met"
    assert judge_rate(gained, line.model_copy(update={"enough": None})).text == "better by less than 5 points"


def test_enough_is_not_enough_where_the_rate_fell():
    base = [episode(f"w-{at}", f"a{at % 8}", False, ending="exit") for at in range(40)]
    tuned = [episode(f"w-{at}", f"a{at % 8}", at < 30, ending="exit" if at < 37 else "turn_limit") for at in range(40)]
    found = judged(base, tuned, shipped())  # 40 -> 37 of 40: still above 0.9, but down by more than the margin
    assert state(found, "verified") == "met" and found.verdict == "hold (terminated: the interval excludes a gain of 5 points)"


def test_an_informational_criterion_never_changes_the_verdict():
    everything = {name: {"tier": "informational", "rule": "not_up", "margin": 0.01} for name in ("operated", "solved", "terminated")}
    gain = episodes([False] * 64, 8), episodes([True] * 64, 8)
    found = judged(*gain, EvalConfig(gate=everything))
    assert found.verdict == "promote" and state(found, "solved") == "not met"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"nice": {}}, "eval.gate: found 'nice', allowed: operated, "),
        (
            {"solved": {"tier": "vital", "rule": "up"}},
            "eval.gate.solved.tier: .*'critical', 'supporting' or 'informational' .found 'vital'",
        ),
        ({"solved": {"tier": "critical", "rule": "up", "margin": 0}}, "eval.gate.solved.margin: .*greater than 0 .found 0"),
        ({"solved": {"tier": "critical", "rule": "up", "least": 0.1}}, "eval.gate.solved.least: "),
        ({"solved": None}, "eval.gate.solved.document: "),
    ],
)
def test_an_impossible_gate_is_refused(line: dict, said: str):
    with pytest.raises(SettingsError, match=said):
        gate.require_criterion(EvalConfig(gate=line))


def test_a_required_verdict_is_an_exit_status():
    wanted = shipped("eval", "eval.require=promote")
    gate.require_verdict("promote", wanted)
    gate.require_verdict("hold (worse than the base)", EvalConfig())
    with pytest.raises(VerdictError, match="eval.require=promote: the verdict is hold") as refused:
        gate.require_verdict("hold (worse than the base)", wanted)
    assert refused.value.exit_status == 3


def test_every_gate_that_is_shipped_is_possible():
    for path in (Path(conf_folder()) / "eval" / "gate").glob("*.yaml"):
        gate.require_criterion(shipped("eval", f"eval/gate={path.stem}"))


def test_a_verdict_that_does_not_exist_cannot_be_required():
    with pytest.raises(SettingsError, match="eval.require: found 'win', allowed: null, promote, hold"):
        gate.require_criterion(EvalConfig(require="win"))

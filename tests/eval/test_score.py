"""An evaluation's episodes as numbers: every agent, every adapter, every kind of scenario; multiple comparisons are corrected for."""

import json
import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from sekft.config import EvalConfig
from sekft.eval import labels as scenarios
from sekft.eval import rates, score, terminal
from sekft.eval.page import write_eval_page
from sekft.eval.run import function_titles
from sekft.eval.summary import TextLoss
from sekft.scenario import frozen, library
from sekft.scenario.document import Scenario
from tests.eval.planted import agent, episode

NAMES = library.archetypes()[:8]
SCENARIOS: tuple[Scenario, ...] = tuple(library.make(name, index) for index in range(8) for name in NAMES)
N = len(SCENARIOS)


def agents(**tuned: list[bool]) -> dict:
    results = {"base": [at % 8 == 0 for at in range(N)], **tuned, "reference": [True] * N, "exit": [False] * N}
    return {name: agent(name, SCENARIOS, won) for name, won in results.items()}


GAIN = [at % 8 < 6 for at in range(N)]


def test_the_summary_holds_what_others_rely_on_and_is_json():
    scored = score.score(agents(tuned=GAIN), SCENARIOS, EvalConfig(), held_out=NAMES[:2])
    summary = json.loads(json.dumps(scored.summary().document()))
    assert summary["verdict"] == "promote" and summary["paired"]["wins"] == summary["comparisons"]["tuned"]["verified"]["wins"] == 40
    assert set(summary["base"]) >= {"rates", "by", "panic", "outcomes", "turns", "reasons", "attempts"} and "exit" in summary["agents"]
    assert summary["findings"][0]["criterion"] == "verified" and summary["findings"][0]["state"] == "met"
    assert summary["base"]["reasons"]["loop"] == sum(at % 8 > 0 and at % 6 > 2 for at in range(N)) and summary["reference"]["reasons"] == {}


def test_without_an_adapter_there_is_nothing_to_decide():
    summary = score.score(agents(), SCENARIOS, EvalConfig()).summary().document()
    assert summary["verdict"] == "unmeasured (no adapter to compare)" and summary["tuned"] is None and summary["paired"] is None
    assert summary["findings"] == [] and summary["base"]["rates"]["verified"]["k"] == 8


def test_p_values_of_several_adapters_are_corrected_for_the_comparisons_with_one_base():
    weak = [at % 8 == 0 or at in range(1, 8) for at in range(N)]  # 7 wins, no loss: p = 0.016 alone
    alone = score.score(agents(weak=weak), SCENARIOS, EvalConfig())
    many = score.score(agents(weak=weak, **{f"other{at}": GAIN for at in range(3)}), SCENARIOS, EvalConfig())
    assert alone.pairs["weak"]["verified"].holm_p == alone.pairs["weak"]["verified"].mcnemar_p < 0.02
    assert many.pairs["weak"]["verified"].holm_p == alone.pairs["weak"]["verified"].mcnemar_p  # the largest p value is not multiplied
    four = score.score(agents(**{f"weak{at}": weak for at in range(4)}), SCENARIOS, EvalConfig())
    assert four.pairs["weak0"]["verified"].holm_p == pytest.approx(4 * alone.pairs["weak"]["verified"].mcnemar_p)
    assert set(many.judgements) == {"weak", "other0", "other1", "other2"} and any("after Holm" in line for line in terminal.lines(four))


def test_a_gain_that_is_shown_alone_is_not_shown_among_sixteen_adapters():
    better = [at % 8 == 0 or at in range(1, 11) for at in range(N)]  # 9 wins, no loss: p = 0.004 alone, 0.06 after Holm
    alone = score.score(agents(a0=better), SCENARIOS, EvalConfig())
    many = score.score(agents(**{f"a{at}": better for at in range(16)}), SCENARIOS, EvalConfig())
    assert alone.judgements["a0"].verdict == "promote" and many.judgements["a0"].verdict.startswith("inconclusive")


def test_a_harm_shown_once_is_not_excused_by_the_number_of_adapters():
    worse = [False] * N  # 8 losses, no win: p = 0.008 alone, 0.06 after Holm over eight
    crowd = {f"a{at}": worse for at in range(8)}
    scored = score.score(agents(**crowd), SCENARIOS, EvalConfig())
    assert scored.pairs["a0"]["verified"].holm_p > 0.05 and scored.judgements["a0"].verdict == "hold (worse than the base)"


def test_a_baselines_broken_episodes_spoil_no_verdict():
    episodes = agents(tuned=GAIN)
    episodes["exit"] = [episode(one.scenario_id, one.archetype, False, ending="broken") for one in episodes["exit"]]
    assert score.score(episodes, SCENARIOS, EvalConfig()).verdict == "promote"


def test_every_adapter_is_judged_by_its_own_loss_and_the_losses_are_shown():
    prose = {"sha256": "ab" * 32, "tokens": 800, "unigram": 5.5, "nats_per_token": {"base": 2.0, "good": 2.05, "drunk": 3.0}}
    config = EvalConfig(gate={"loss": {"tier": "supporting", "rule": "not_up", "margin": 0.1}})
    scored = score.score(agents(good=GAIN, drunk=GAIN), SCENARIOS, config, losses={"prose": TextLoss(**prose)})
    assert scored.judgements["good"].verdict == "promote"
    assert scored.judgements["drunk"].verdict == "hold (loss of prose: +1.000 nats per token, +0.100 allowed)"
    assert json.loads(json.dumps(scored.summary().document()))["losses"] == {"prose": prose}
    shown = "loss of prose, the text of sha256 abababababababab, over 800 tokens: base 2.000, good 2.050, drunk 3.000 nats per token"
    assert shown in terminal.lines(scored)
    console = Console(width=80, record=True, file=StringIO())
    console.print(terminal.score_table(scored))
    rows = {line.split()[0]: line for line in console.export_text().splitlines() if line.split()}
    assert all(rows[name].rstrip().endswith(loss) for name, loss in (("base", "2.000"), ("good", "2.050"), ("drunk", "3.000")))
    assert "exit" not in rows and max(map(len, rows.values())) <= 80 and "…" not in console.export_text()


def test_the_news_are_two_sentences_what_happened_and_the_verdict_with_its_reason():
    result, verdict = terminal.news(score.score(agents(tuned=GAIN), SCENARIOS, EvalConfig()))
    assert result.startswith(
        "result: the tuned model did the work and left in 48 of 64 scenarios, the base in 8: +62 points, 95 % interval +"
    )
    assert verdict.startswith("verdict: promote: the adapter is better than its base")
    few = score.score(agents(tuned=[at % 8 == 0 or at in range(1, 5) for at in range(N)]), SCENARIOS, EvalConfig())
    assert few.verdict.startswith("inconclusive (needs n >= ")
    assert re.fullmatch(
        r"verdict: inconclusive: 64 scenarios are too few to tell; (\d+) or more would decide \(.*\1.*\)\.", terminal.news(few)[1]
    )
    assert len(frozen.scenarios()) == frozen.SIZE
    for needed, advice in (
        (128, "eval.episodes=128 scenarios=test"),
        (848, "eval.episodes=848 scenarios=fresh"),
        (4000, "to show a difference this small would take 4,000"),
    ):
        tiny = replace(score.score(agents(tuned=GAIN), SCENARIOS, EvalConfig()), verdict=f"inconclusive (needs n >= {needed})")
        assert advice in terminal.news(tiny)[1]
    worse = score.score(agents(tuned=[False] * N), SCENARIOS, EvalConfig())
    assert terminal.news(worse)[1] == "verdict: hold: the adapter should not replace its base: worse than the base."
    assert terminal.news(score.score(agents(), SCENARIOS, EvalConfig())) == [
        "result: the base did the work and left in 8 of 64 scenarios.",
        "verdict: unmeasured: no adapter to compare.",
    ]


def test_functions_and_served_models_have_their_own_names_in_every_sentence_and_on_the_page(tmp_path):
    titles = function_titles({"base": "my_agent.py:follower", "tuned": "my_agent.py:looker"})
    assert titles == {"base": "follower", "tuned": "looker"}
    two = function_titles({"base": "a.py:play", "tuned": "b.py:play"})
    assert two == {"base": "a.py:play", "tuned": "b.py:play"} and function_titles({"base": "a.py:exit"}) == {"base": "a.py:exit"}
    assert function_titles({"base": "a.py:f", "f": "b.py:g"}) == {"base": "a.py:f"}
    for won in (GAIN, [False] * N, [at % 8 == 0 for at in range(N)]):
        episodes = agents(tuned=won)
        scored = score.score(episodes, SCENARIOS, EvalConfig(), titles=titles)
        console = Console(width=80, record=True, file=StringIO())
        console.print(terminal.score_table(scored))
        printed = "\n".join([*terminal.news(scored), terminal.not_kept_line(scored), *terminal.agent_lines(scored), console.export_text()])
        page = write_eval_page(episodes, SCENARIOS, scored, [], tmp_path / "report.html").read_text()
        assert "<h1>Evaluation: looker against follower</h1>" in page and "looker" in printed and "follower" in printed
        assert not re.search(r"\b(tuned|[Tt]he base|its base|[Tt]he adapter)\b|^base\b|>base<|\bbase:", printed + page, re.MULTILINE)
    alone = score.score(agents(), SCENARIOS, EvalConfig(), titles={"base": "follower"})
    assert terminal.news(alone) == [
        "result: follower did the work and left in 8 of 64 scenarios.",
        "verdict: unmeasured: follower is compared with nothing; adapter= names another agent.",
    ]
    lost = [episode(one.id, one.archetype, False, ending="broken") for one in SCENARIOS]
    broken = {**agents(tuned=GAIN), "base": lost}
    assert "of follower's episodes broken" in score.score(broken, SCENARIOS, EvalConfig(), titles=titles).verdict


def test_a_base_that_cannot_read_a_text_has_nothing_to_forget_of_it():
    prose = {"sha256": "ab" * 32, "tokens": 800, "unigram": 5.5, "nats_per_token": {"base": 8.1, "tuned": 9.9}}
    config = EvalConfig(gate={"loss": {"tier": "supporting", "rule": "not_up", "margin": 0.1}})
    scored = score.score(agents(tuned=GAIN), SCENARIOS, config, losses={"prose": TextLoss(**prose)})
    assert scored.verdict == "promote" and any(line.startswith("  not measured: loss") for line in terminal.lines(scored))
    assert any(line.endswith("no better than token frequencies (5.500): the base has nothing to forget") for line in terminal.lines(scored))


def test_a_loss_that_was_not_measured_is_reported_so_and_holds_nothing():
    config = EvalConfig(gate={"loss": {"tier": "supporting", "rule": "not_up", "margin": 0.1}})
    scored = score.score(agents(tuned=GAIN), SCENARIOS, config)
    assert scored.verdict == "promote" and scored.summary().document()["losses"] == {}
    assert any(line.startswith("  not measured: loss") for line in terminal.lines(scored))


def test_rates_are_grouped_by_kind_of_hold_out_and_by_the_labels_of_the_scenario():
    labels = scenarios.label_scenarios(SCENARIOS, held_out=NAMES[:3], unseen=NAMES[:1])
    by = rates.rates_by_group(agent("x", SCENARIOS, GAIN), labels)
    kinds = {name: group["verified"].n for name, group in by.items() if name.startswith("kind=")}
    assert kinds == {
        "kind=held out of the adapter only": 2 * N // 8,
        "kind=operation the base never saw": N // 8,
        "kind=new scenario of a training archetype": 5 * N // 8,
    }
    unknown = rates.rates_by_group(agent("x", SCENARIOS, GAIN), scenarios.label_scenarios(SCENARIOS, held_out=NAMES[:3]))
    assert unknown["kind=held-out archetype"]["verified"].n == 3 * N // 8 and "kind=operation the base never saw" not in unknown
    assert sum(group["verified"].n for name, group in by.items() if name.startswith("difficulty=")) == N
    assert not any(
        name.startswith("kind=") for name in rates.rates_by_group(agent("x", SCENARIOS, GAIN), scenarios.label_scenarios(SCENARIOS))
    )


def test_labels_in_an_episodes_meta_are_used_if_the_scenario_has_none():
    labelled = episode("w", "a", True).model_copy(update={"meta": {"terminal": "exit", "family": "files", "kind": "held-out archetype"}})
    assert {"family=files", "kind=held-out archetype"} <= set(rates.rates_by_group([labelled], {"w": {"difficulty": "plain"}}))
    assert all("" not in about.values() for about in scenarios.label_scenarios(SCENARIOS).values())


def test_the_power_line_is_the_published_number():
    assert score.power_line(64, 8).startswith(
        "with n=64 scenarios of 8 archetypes a true gain of 20 points is significant with probability 0.83 and promoted with "
    )


def test_the_reference_is_right_everywhere_and_the_baselines_as_counted_by_hand():
    by_hand = sum(scenario.terminal == "exit" for scenario in SCENARIOS)
    episodes = agents(tuned=GAIN)
    episodes["exit"] = [
        episode(scenario.id, scenario.archetype, False, scenario.terminal.value, "exit", turns=(("exit", ""),), agent="exit")
        for scenario in SCENARIOS
    ]
    summary = score.score(episodes, SCENARIOS, EvalConfig()).summary().document()
    assert summary["reference"]["rates"]["verified"]["k"] == N
    baseline = summary["agents"]["exit"]["rates"]
    assert [baseline[name]["k"] for name in ("operated", "terminated", "right_terminal", "verified")] == [0, N, by_hand, 0]

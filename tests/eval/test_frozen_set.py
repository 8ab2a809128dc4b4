"""The whole frozen test set: the reference is right everywhere, and the baselines score what follows from the scenarios."""

import pytest

from sekft.config import BackendKind, EvalConfig, SandboxConfig
from sekft.eval import score, terminal
from sekft.eval.evaluation import Evaluation
from sekft.eval.rates import CRITERIA, FAULTS
from sekft.sandbox import choose
from sekft.scenario import frozen
from tests.eval.by_hand import done_at_arrival, typed_at_random

SCENARIOS = tuple(frozen.scenarios())
LIMITS = EvalConfig(max_turns=16)
ALL = {scenario.id for scenario in SCENARIOS}
SOLVABLE = {scenario.id for scenario in SCENARIOS if scenario.terminal.value == "exit"}
DONE = {scenario.id for scenario in SCENARIOS if done_at_arrival(scenario)}


def by_hand() -> dict[str, dict[str, set[str]]]:
    """agent -> rate -> scenarios in which it is met."""
    typed = {scenario.id: typed_at_random(scenario, 0, LIMITS.max_turns) for scenario in SCENARIOS}
    left = {word: {scenario for scenario, lines in typed.items() if lines[-1] == word} for word in ("exit", "panic")}
    absent = {
        scenario.id: {"exit", "panic"} if scenario.announcement.kind == "help" else {"exit", "panic", "help"} for scenario in SCENARIOS
    }
    drawn = {
        "operated": {scenario for scenario, lines in typed.items() if set(lines) - absent[scenario]},
        "right_terminal": (left["exit"] & SOLVABLE) | (left["panic"] - SOLVABLE),
        "terminated": left["exit"] | left["panic"],
        "false_panic": left["panic"] - (DONE - SOLVABLE),
    }
    none: set[str] = set()
    hand = {
        "reference": {"operated": ALL, "terminated": ALL, "right_terminal": ALL, "solved": ALL, "false_panic": none},
        "exit": {"operated": none, "terminated": ALL, "right_terminal": SOLVABLE, "solved": DONE, "false_panic": none},
        "panic": {"operated": none, "terminated": ALL, "right_terminal": ALL - SOLVABLE, "solved": DONE, "false_panic": ALL - DONE},
        "random": {**drawn, "solved": DONE},
    }
    return {agent: {**met, "verified": met["solved"] & met["right_terminal"]} for agent, met in hand.items()}


def test_only_scenarios_where_nothing_can_be_done_are_done_at_arrival() -> None:
    assert {scenario.id for scenario in SCENARIOS if scenario.axes.blocker == "unreachable"} == DONE
    assert not DONE & SOLVABLE and len(DONE) <= len(ALL - SOLVABLE) / 4


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_reference_and_the_baselines_score_what_the_scenarios_say() -> None:
    evaluation = Evaluation(SCENARIOS, choose.backend(SandboxConfig(backend=BackendKind.bwrap)), LIMITS, workers=0, seed=0)
    episodes = evaluation.play(evaluation.scripted_agents(), "frozen set")
    expected = by_hand()
    for agent, played in episodes.items():
        found = {name: {episode.scenario_id for episode in played if met(episode)} for name, met in (CRITERIA | FAULTS).items()}
        assert found == expected[agent], agent
    assert not any(expected[baseline]["verified"] - DONE for baseline in ("random", "exit", "panic"))
    scored = score.score({**episodes, "base": episodes["exit"]}, SCENARIOS, LIMITS)
    first, *others = terminal.score_table(scored).columns
    assert list(first._cells) == ["reference", "base"]
    for column in others:
        name = str(column.header).replace(" ", "_")
        counts = [int(str(cell).split("/")[0].split()[0]) for cell in column._cells]
        assert counts == [len(expected[agent][name or scored.criterion]) for agent in ("reference", "exit")], name

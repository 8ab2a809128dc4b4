"""The whole frozen exam set: the reference is right everywhere, and stones score what can be read off the bundles."""

import pytest

from sekft.config import Backend as Kind
from sekft.config import EvalConfig, SandboxConfig
from sekft.eval import score, show
from sekft.eval.evaluation import Exam
from sekft.eval.rates import CRITERIA, FAULTS
from sekft.sandbox import choose
from sekft.scenario import frozen
from tests.eval.by_hand import done_at_arrival, typed_at_random

WORLDS = tuple(frozen.exam())
LIMITS = EvalConfig(max_turns=16)
ALL = {world.id for world in WORLDS}
SOLVABLE = {world.id for world in WORLDS if world.terminal.value == "exit"}
DONE = {world.id for world in WORLDS if done_at_arrival(world)}


def by_hand() -> dict[str, dict[str, set[str]]]:
    """player -> rate -> worlds in which it is met."""
    typed = {world.id: typed_at_random(world, 0, LIMITS.max_turns) for world in WORLDS}
    left = {word: {world for world, lines in typed.items() if lines[-1] == word} for word in ("exit", "panic")}
    drawn = {
        "operated": {world for world, lines in typed.items() if len(lines) > 1 or lines[0] not in ("exit", "panic")},
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
    return {player: {**met, "verified": met["solved"] & met["right_terminal"]} for player, met in hand.items()}


def test_only_worlds_where_nothing_can_be_done_are_done_at_arrival() -> None:
    assert {world.id for world in WORLDS if world.axes.blocker == "unreachable"} == DONE
    assert not DONE & SOLVABLE and len(DONE) <= len(ALL - SOLVABLE) / 4


@pytest.mark.slow
def test_the_reference_and_the_stones_score_what_the_bundles_say(capsys: pytest.CaptureFixture[str]) -> None:
    exam = Exam(WORLDS, choose.backend(SandboxConfig(backend=Kind.bwrap)), LIMITS, workers=0, seed=0)
    lives = exam.play(exam.scripted(), "frozen set")
    expected = by_hand()
    for player, played in lives.items():
        found = {name: {life.bundle_id for life in played if met(life)} for name, met in (CRITERIA | FAULTS).items()}
        assert found == expected[player], player
    assert not any(expected[stone]["verified"] - DONE for stone in ("random", "exit", "panic"))
    capsys.readouterr()
    show.print_score(score.score({**lives, "base": lives["exit"]}, WORLDS, LIMITS))
    rows = [row.split("│")[1:-1] for row in capsys.readouterr().out.splitlines() if row.startswith("│")]
    printed = {name.strip(): cells for name, *cells in reversed(rows)}  # false_panic is a reason, too, further down
    for rate in CRITERIA | FAULTS:
        counts = [cell.split()[0] for cell in printed[rate]]
        assert counts == [f"{len(expected[player][rate])}/128" for player in (*lives, "exit")], rate

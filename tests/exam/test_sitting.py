"""All players sit the same exam at the same time; what a stone scores is known by hand; time that is over is said."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from sekft.config import Backend as Kind
from sekft.config import EvalConfig, SandboxConfig, SplitConfig
from sekft.errors import SettingsError
from sekft.exam import gate, rates
from sekft.exam.sitting import Exam, at_once
from sekft.rendering.messages import Message, Reply
from sekft.rollout.many import LATE
from sekft.rollout.operator import RandomCommands, reference, scripted
from sekft.rollout.trajectory import Ending
from sekft.sandbox import choose
from sekft.scenario.split import bundles

WORLDS = tuple(bundles(SplitConfig(name="archetype", held_out=["move", "sort"], train_bundles=8, exam_bundles=8), "all")[:8])


@pytest.fixture(scope="module")
def exam() -> Exam:
    return Exam(WORLDS, choose.backend(SandboxConfig(backend=Kind.bwrap)), EvalConfig(), workers=4, seed=0)


def test_the_reference_solves_all_and_stones_score_what_the_worlds_say(exam: Exam):
    lives = exam.play(exam.scripted(), "stones")
    scores = {player: rates.rates(lives[player]) for player in lives}
    blocked = sum(world.terminal.value == "panic" for world in WORLDS)
    assert scores["reference"]["verified"].k == len(WORLDS)
    for stone, right in (("exit", len(WORLDS) - blocked), ("panic", blocked)):
        found = {name: rate.k for name, rate in scores[stone].items()}
        assert found == {"operated": 0, "terminated": len(WORLDS), "right_terminal": right, "solved": 0, "verified": 0}
    assert scores["random"]["verified"].k == 0


def test_every_player_lives_in_every_world_in_the_stored_order(exam: Exam):
    twice = replace(exam, limits=EvalConfig(attempts=2, temperature=1.0))
    lives = twice.play({"one": reference(WORLDS), "other": scripted(WORLDS, ["exit"])}, "two")
    expected = [(world.id, attempt) for world in WORLDS for attempt in (0, 1)]
    assert all([(life.bundle_id, int(life.id.partition("#")[2][0])) for life in lives[player]] == expected for player in ("one", "other"))


def test_greedy_attempts_are_refused(exam: Exam):
    with pytest.raises(SettingsError, match="eval.attempts=2: greedy lives are all the same"):
        replace(exam, limits=EvalConfig(attempts=2))


class Slow:
    name = "slow"

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        time.sleep(0.3)
        return Reply("ls")


def test_an_exam_that_takes_too_long_is_unmeasured(exam: Exam):
    short = replace(exam, limits=EvalConfig(max_exam_s=0.5))
    lives = short.play({"base": Slow(), "reference": reference(WORLDS)}, "late")
    late = [life for life in lives["base"] if life.reason == LATE]
    assert late and all(life.ending is Ending.broken for life in late)
    assert gate.unmeasured(lives, short.limits) == "unmeasured (the exam took longer than eval.max_exam_s=0.5)"


def test_random_commands_repeat_by_seed_life_and_turn():
    landing = [Message(role="user", content="$ ")]
    typed = {(seed, life): RandomCommands(seed).reply(life, landing).text for seed in range(3) for life in ("a#0", "b#0", "c#0")}
    assert typed == {(seed, life): RandomCommands(seed).reply(life, landing).text for seed, life in typed}
    assert len(set(typed.values())) > 3


def test_what_an_exam_is_about_changes_with_whatever_changes_its_lives(exam: Exam):
    changes = [
        replace(exam, bundles=WORLDS[:4]), replace(exam, seed=1), replace(exam, limits=EvalConfig(temperature=0.5)),
        replace(exam, backend=choose.backend(SandboxConfig(backend=Kind.bwrap, memory_mb=256))),
    ]  # fmt: skip
    known = [one.about({"base": "x"})["base"] for one in (exam, *changes)]
    assert len({str(about) for about in known}) == len(known)
    assert exam.about({"base": "x"}) == exam.about({"base": "x"}) != exam.about({"base": "y"})


def test_lives_in_flight_grow_with_the_players_as_far_as_their_pasts_are_kept():
    kept = EvalConfig(rows=40)
    assert [at_once(thinking, kept) for thinking in (0, 1, 2, 4, 5, 9)] == [16, 16, 32, 64, 80, 80]
    assert at_once(5, EvalConfig(rows=1)) == 16

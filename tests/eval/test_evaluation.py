"""All players sit the same exam at the same time; what a stone scores is known by hand; time that is over is said."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from sekft.config import Backend as Kind
from sekft.config import Device, EvalConfig, ModelConfig, SandboxConfig, SplitConfig
from sekft.episode.agent import RandomCommands, reference, scripted
from sekft.episode.play import LATE
from sekft.episode.trajectory import Ending, dumps
from sekft.errors import SettingsError
from sekft.eval import gate, rates
from sekft.eval.evaluation import Exam, at_once
from sekft.rendering.messages import Message, Reply
from sekft.sandbox import choose
from sekft.sandbox.session import Backend, Checked, File, Place, Turn
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


class Unsteady:
    """Real places that now and then take their time, by a seed: lives ask for their next reply in another order each time."""

    def __init__(self, backend: Backend, seed: int) -> None:
        self.name, self.settings, self.digest = backend.name, backend.settings, backend.digest
        self._backend, self._random = backend, random.Random(seed)

    @contextmanager
    def open(self, environment: Mapping[str, str]) -> Iterator[Place]:
        time.sleep(self._random.uniform(0, 0.1))
        with self._backend.open(environment) as place:
            yield UnsteadyPlace(place, self._random)


@dataclass(frozen=True)
class UnsteadyPlace:
    place: Place
    random: random.Random

    def put(self, files: Sequence[File]) -> None:
        self.place.put(files)

    def run(self, text: str, timeout_s: float) -> Turn:
        time.sleep(self.random.choice((0, 0, 0.05, 0.2)))
        return self.place.run(text, timeout_s)

    def check(self, script: str, timeout_s: float) -> Checked:
        return self.place.check(script, timeout_s)


def test_a_models_lives_do_not_depend_on_how_fast_their_places_are(exam: Exam):
    from sekft.model import base as bases
    from sekft.model.agents import players

    limits = EvalConfig(max_turns=4, max_reply_tokens=12, rows=3)  # batches of three of eight lives: who is in which, timing decides
    base = bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))
    told = []
    for seed in range(3):
        shaken = replace(exam, backend=Unsteady(exam.backend, seed) if seed else exam.backend, limits=limits, workers=8)
        with players(base, {"base": None}, limits, seed=0) as cast:
            told.append([dumps(life) for life in shaken.play(cast.operators, "unsteady")["base"]])
    assert told[0] == told[1] == told[2]


def test_random_commands_repeat_by_seed_life_and_turn():
    landing = [Message(role="user", content="$ ")]
    typed = {(seed, life): RandomCommands(seed).reply(life, landing).text for seed in range(3) for life in ("a#0", "b#0", "c#0")}
    assert typed == {(seed, life): RandomCommands(seed).reply(life, landing).text for seed, life in typed}
    assert len(set(typed.values())) > 3


def test_what_an_exam_is_about_changes_with_whatever_changes_its_lives(exam: Exam):
    changes = [
        replace(exam, bundles=WORLDS[:4]), replace(exam, limits=EvalConfig(temperature=0.5)),
        replace(exam, backend=choose.backend(SandboxConfig(backend=Kind.bwrap, memory_mb=256))),
    ]  # fmt: skip
    known = [one.about({"base": "x"})["base"] for one in (exam, *changes)]
    assert len({str(about) for about in known}) == len(known)
    assert exam.about({"base": "x"}) == exam.about({"base": "x"}) != exam.about({"base": "y"})


def test_a_seed_changes_only_the_lives_that_chance_decides(exam: Exam):
    def changed(limits: EvalConfig) -> set[str]:
        one, other = (replace(exam, limits=limits, seed=seed).about({"base": "x"}) for seed in (0, 1))
        return {player for player in one if one[player] != other[player]}

    assert changed(EvalConfig()) == {"random"} and changed(EvalConfig(temperature=0.5)) == {"random", "base"}


def test_lives_in_flight_grow_with_the_players_as_far_as_their_pasts_are_kept():
    kept = EvalConfig(rows=40)
    assert [at_once(thinking, kept) for thinking in (0, 1, 2, 4, 5, 9)] == [16, 16, 32, 64, 80, 80]
    assert at_once(5, EvalConfig(rows=1)) == 16

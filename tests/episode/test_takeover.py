"""A watched life is the operator's own until the person types something else; then it is told, and the record says so."""

from sekft.config import EvalConfig
from sekft.episode.agent import reference, scripted
from sekft.episode.play import play
from sekft.episode.takeover import TakeOver, Watched
from sekft.episode.trajectory import Outcome
from sekft.sandbox.session import Backend
from sekft.scenario.library import make

BUNDLE = make("copy", 0)


def test_a_life_in_which_everything_is_let_is_the_same_life(backend: Backend):
    taken: list[TakeOver] = []
    operator = reference([BUNDLE])
    watched = play(BUNDLE, Watched(operator, lambda messages, reply: reply.text, taken.append), backend, EvalConfig())
    assert watched == play(BUNDLE, operator, backend, EvalConfig()) and not taken


def test_a_life_that_is_taken_over_at_its_mistake_verifies(backend: Backend):
    taken: list[TakeOver] = []
    wrong = scripted([BUNDLE], ["exit"])

    def decide(messages, reply) -> str:
        return BUNDLE.reference[len(messages) // 2]

    life = play(BUNDLE, Watched(wrong, decide, taken.append), backend, EvalConfig())
    assert life.outcome is Outcome.verified and life.operator == "scripted+human"
    assert tuple(one.typed for one in taken) == BUNDLE.reference
    assert taken[0].own == "exit" and taken[0].context == life.messages[:1]

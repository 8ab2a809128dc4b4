"""A watched episode is the agent's own until the person types something else; then the record names the person, too."""

from sekft.config import EvalConfig
from sekft.episode.agent import reference, scripted
from sekft.episode.play import play
from sekft.episode.takeover import TakeOver, Watched
from sekft.episode.trajectory import Outcome
from sekft.sandbox.session import Backend
from sekft.scenario.library import make

SCENARIO = make("copy", 0)


def test_an_episode_in_which_no_reply_is_replaced_is_the_agents_own(backend: Backend):
    taken: list[TakeOver] = []
    agent = reference([SCENARIO])
    watched = play(SCENARIO, Watched(agent, lambda messages, reply: reply.text, taken.append), backend, EvalConfig())
    assert watched == play(SCENARIO, agent, backend, EvalConfig()) and not taken


def test_an_episode_that_is_taken_over_at_its_mistake_verifies(backend: Backend):
    taken: list[TakeOver] = []
    wrong = scripted([SCENARIO], ["exit"])

    def decide(messages, reply) -> str:
        return SCENARIO.reference[len(messages) // 2]

    episode = play(SCENARIO, Watched(wrong, decide, taken.append), backend, EvalConfig())
    assert episode.outcome is Outcome.verified and episode.agent == "scripted+human"
    assert tuple(takeover.typed for takeover in taken) == SCENARIO.reference
    assert taken[0].own == "exit" and taken[0].context == episode.messages[:1]

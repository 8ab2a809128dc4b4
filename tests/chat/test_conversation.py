"""A conversation: rendered as in training, read once, ended by the person."""

from pathlib import Path

import pytest

from sekft.chat.conversation import Conversation
from sekft.config import Device, Engine, ModelConfig, Weights
from sekft.errors import ModelError
from sekft.model import base as bases
from sekft.model.base import Base
from sekft.model.generate import SamplingParameters, generate
from sekft.model.generators import generators
from sekft.model.reply import decode_reply
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids

TURNS = ["Welcome\n$ ", "ls: no\n$ ", "a b\n$ "]


@pytest.fixture
def base(babbler: Path) -> Base:
    return bases.load(ModelConfig(name="tiny", path=str(babbler), weights=Weights.random, device=Device.cpu))


def never_stop(piece: str) -> bool:
    return False


def test_every_turn_is_the_reply_to_the_ids_of_training_and_nothing_is_read_twice(base: Base):
    with generators(base, {"model": None}, Engine.batched, rows=1) as models:
        conversation = Conversation(base, models.by_name["model"], SamplingParameters(8))
        for text in TURNS:
            before = (*conversation.messages, Message(role="user", content=text))
            prompt = prompt_ids(before, base.tokenizer)
            conversation.send(text, never_stop)
            assert conversation.messages[:-1] == before
            assert conversation.messages[-1].content == decode_reply(
                prompt, generate(base, base.model, prompt, SamplingParameters(8)), base.tokenizer
            )
        read = models.counts[0].read()
        assert (
            read
            < 1.2 * models.counts[0].minimum()
            < 0.7 * sum(len(prompt_ids(conversation.messages[: 2 * turn + 1], base.tokenizer)) + 8 for turn in range(3))
        )


def test_an_ended_reply_stays_in_the_conversation_as_far_as_it_came(base: Base):
    pieces: list[str] = []

    def twice(piece: str) -> bool:
        pieces.append(piece)
        return len(pieces) == 2

    with generators(base, {"model": None}, Engine.batched, rows=1) as models:
        conversation = Conversation(base, models.by_name["model"], SamplingParameters(40))
        done = conversation.send(TURNS[0], twice)
        assert done.tokens == 2 and conversation.messages[-1].content == done.text == "".join(pieces)
        assert conversation.send(TURNS[1], never_stop).tokens > 2 and len(conversation.messages) == 4


def test_a_turn_without_room_for_a_reply_is_refused_and_changes_nothing(base: Base):
    with generators(base, {"model": None}, Engine.batched, rows=1) as models:
        conversation = Conversation(base, models.by_name["model"], SamplingParameters(8))
        with pytest.raises(ModelError, match="allowed: less than 2048"):
            conversation.send("word " * 3000, never_stop)
        assert conversation.messages == ()


def test_a_sampled_reply_depends_on_seed_and_turn_alone(base: Base):
    def sampled(seed: int) -> list[str]:
        with generators(base, {"model": None}, Engine.batched, rows=1) as models:
            conversation = Conversation(base, models.by_name["model"], SamplingParameters(8, temperature=1.5, seed=seed, top_k=50))
            return [conversation.send(TURNS[0], never_stop).text for _ in range(2)]

    assert sampled(1) == sampled(1) != sampled(2) and len(set(sampled(1))) == 2

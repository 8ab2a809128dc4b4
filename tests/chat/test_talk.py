"""A conversation: fed as trained, read once, ended where the person says."""

from pathlib import Path

import pytest

from sekft.chat.talk import Talk
from sekft.config import Device, Engine, ModelConfig, Weights
from sekft.errors import ModelError
from sekft.model import base as bases
from sekft.model.base import Base
from sekft.model.generate import Draw, generate
from sekft.model.generators import generators
from sekft.model.reply import text_of
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids

SAID = ["Welcome\n$ ", "ls: no\n$ ", "a b\n$ "]


@pytest.fixture
def base(babbler: Path) -> Base:
    return bases.load(ModelConfig(name="tiny", path=str(babbler), weights=Weights.random, device=Device.cpu))


def silent(piece: str) -> bool:
    return False


def test_every_turn_is_what_the_model_says_to_the_ids_of_training_and_nothing_is_read_twice(base: Base):
    with generators(base, {"model": None}, Engine.batched, rows=1) as speaking:
        talk = Talk(base, speaking.speak["model"], Draw(8))
        for text in SAID:
            before = (*talk.messages, Message(role="user", content=text))
            prompt = prompt_ids(before, base.tokenizer)
            talk.say(text, silent)
            assert talk.messages[:-1] == before
            assert talk.messages[-1].content == text_of(prompt, generate(base, base.model, prompt, Draw(8)), base.tokenizer)
        read = speaking.counts[0].read()
        assert (
            read
            < 1.2 * speaking.counts[0].needed()
            < 0.7 * sum(len(prompt_ids(talk.messages[: 2 * turn + 1], base.tokenizer)) + 8 for turn in range(3))
        )


def test_a_listener_ends_a_reply_and_what_was_said_stays_said(base: Base):
    heard: list[str] = []

    def twice(piece: str) -> bool:
        heard.append(piece)
        return len(heard) == 2

    with generators(base, {"model": None}, Engine.batched, rows=1) as speaking:
        talk = Talk(base, speaking.speak["model"], Draw(40))
        done = talk.say(SAID[0], twice)
        assert done.tokens == 2 and talk.messages[-1].content == done.text == "".join(heard)
        assert talk.say(SAID[1], silent).tokens > 2 and len(talk.messages) == 4


def test_a_conversation_without_room_for_a_reply_is_refused_and_stays_as_it_was(base: Base):
    with generators(base, {"model": None}, Engine.batched, rows=1) as speaking:
        talk = Talk(base, speaking.speak["model"], Draw(8))
        with pytest.raises(ModelError, match="allowed: less than 2048"):
            talk.say("word " * 3000, silent)
        assert talk.messages == ()


def test_a_drawn_reply_depends_on_seed_and_turn_alone(base: Base):
    def told(seed: int) -> list[str]:
        with generators(base, {"model": None}, Engine.batched, rows=1) as speaking:
            talk = Talk(base, speaking.speak["model"], Draw(8, temperature=1.5, seed=seed, top_k=50))
            return [talk.say(SAID[0], silent).text for _ in range(2)]

    assert told(1) == told(1) != told(2) and len(set(told(1))) == 2

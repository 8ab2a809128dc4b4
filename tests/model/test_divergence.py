"""The divergence that a hint causes: a sum over the tokens of the turn alone, never negative."""

from pathlib import Path

import pytest
import torch

from sekft.config import Device, ModelConfig, Weights
from sekft.model import base as bases
from sekft.model.base import Base
from sekft.model.divergence import divergence
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids

CONTEXT = [Message(role="user", content="$ "), Message(role="assistant", content="ls"), Message(role="user", content="a b\n$ ")]


@pytest.fixture
def base(babbler: Path) -> Base:
    return bases.load(ModelConfig(name="tiny", path=str(babbler), weights=Weights.random, device=Device.cpu))


def test_it_is_the_sum_over_the_tokens_of_the_turn_of_the_divergence_of_two_predictions(base: Base):
    hint, own = "Use cat.", "exit"
    stop = next(iter(base.tokenizer.stop_ids))
    typed = [*base.tokenizer.encode(own)[0], stop]
    hinted = [Message(role="system", content=hint), *CONTEXT]
    expected = 0.0
    for at in range(len(typed)):
        with_hint, without = (
            base.model(input_ids=torch.tensor([prompt_ids(messages, base.tokenizer) + typed[:at]])).logits[0, -1].float().log_softmax(-1)
            for messages in (hinted, CONTEXT)
        )
        expected += float((with_hint.exp() * (with_hint - without)).sum())
    assert divergence(base, base.model, CONTEXT, hint, own) == pytest.approx(expected, rel=1e-4)


def test_it_is_positive_and_larger_for_a_longer_turn(base: Base):
    short, long = (divergence(base, base.model, CONTEXT, "Use cat.", own) for own in ("ls", "ls a b c d e f g"))
    assert 0 < short < long

"""Two engines may differ only where two tokens are a tie; an episode that differs elsewhere is listed."""

import pytest
import torch

from benchmarks.ties import MARGIN, differences
from sekft.config import Device, ModelConfig
from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.model import base as bases
from sekft.model.base import Base
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids


@pytest.fixture
def base() -> Base:
    return bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))


def episode(*turns: str, outcome: Outcome = Outcome.ran_out) -> Trajectory:
    messages = tuple(Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(turns))
    return Trajectory(
        schema_version=1, id="w-0", scenario_id="w", archetype="copy", agent="base", messages=messages, commands=(),
        ending=Ending.turn_limit, checked=False, clean=True, outcome=outcome, kept=False,
    )  # fmt: skip


@torch.no_grad()
def test_an_episode_that_differs_is_listed_with_the_margin_of_its_first_differing_token(base: Base):
    one, other = episode("hello\n$ ", "ls", "a\n$ ", "cat a"), episode("hello\n$ ", "ls", "a\n$ ", "rm a", outcome=Outcome.prose)
    (found,) = differences(base, base.model, [one, one], [one, other])
    prompt = prompt_ids(one.messages[:3], base.tokenizer)
    logits = base.model(input_ids=torch.tensor([prompt])).logits[0, -1]
    first, second = (base.tokenizer.encode(text)[0][0] for text in ("cat a", "rm a"))
    assert found.margin == pytest.approx(abs(float(logits[first] - logits[second])), abs=1e-4) and found.margin > MARGIN
    assert (found.turn, found.is_tie, found.outcomes) == (3, False, ("ran_out", "prose"))


@torch.no_grad()
def test_two_tokens_with_equal_logits_are_a_tie_and_another_shell_output_is_not(base: Base):
    first, second = (base.tokenizer.encode(text)[0][0] for text in ("cat a", "rm a"))
    rows = base.model.get_output_embeddings().weight
    kept = rows[first].clone()
    rows[first] = rows[second]
    try:
        (tie,) = differences(base, base.model, [episode("hello\n$ ", "cat a")], [episode("hello\n$ ", "rm a")])
        (scenario,) = differences(
            base, base.model, [episode("hello\n$ ", "ls", "a\n$ ", "ls")], [episode("hello\n$ ", "ls", "b\n$ ", "ls")]
        )
    finally:
        rows[first] = kept
    assert tie.is_tie and tie.margin is not None and tie.margin < 1e-6
    assert scenario.margin is None and not scenario.is_tie and scenario.turn == 2

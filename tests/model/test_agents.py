"""Agents on a model: replies repeat, depend on their seed, and report a full context."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from sekft.config import Device, Engine, EvalConfig, LoraConfig, ModelConfig
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.agents import model_agents
from sekft.model.base import Base
from sekft.model.generate import ModelAgent
from sekft.rendering.messages import Message, Reply

LANDING = [Message(role="user", content="Welcome\n$ ")]


@pytest.fixture(params=list(Engine), ids=lambda engine: engine.value)
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


@pytest.fixture
def base(small_mistral: Path) -> Base:
    return bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))


@contextmanager
def base_agent(base: Base, engine: Engine, **limits) -> Iterator[ModelAgent]:
    with model_agents(base, {"base": None}, EvalConfig(engine=engine, **limits), seed=0) as models:
        yield models.agents["base"]


def test_a_greedy_reply_repeats_and_a_full_context_is_reported(base: Base, engine: Engine, monkeypatch: pytest.MonkeyPatch):
    with base_agent(base, engine, max_reply_tokens=8) as agent:
        first = agent.reply("w#0", LANDING)
        assert not first.full and first.cut and first == agent.reply("w#0", LANDING)
    with base_agent(base, engine, max_episode_tokens=4) as tight:
        assert tight.reply("w#0", LANDING) == Reply("", full=True)
    monkeypatch.setattr(base.model.config, "max_position_embeddings", 4)
    with base_agent(base, engine) as tight:
        assert tight.reply("w#0", LANDING) == Reply("", full=True, reason="the base's own context: 4")


def test_a_reply_that_stops_by_itself_is_not_cut(base: Base, engine: Engine, monkeypatch: pytest.MonkeyPatch):
    with base_agent(base, engine, max_reply_tokens=1) as agent:
        assert agent.reply("w#0", LANDING).cut
    monkeypatch.setattr(base.tokenizer, "stop_ids", frozenset(range(base.model.config.vocab_size)))
    with base_agent(base, engine, max_reply_tokens=1) as agent:
        assert not agent.reply("w#0", LANDING).cut


def test_sampled_replies_depend_on_the_episode_and_not_on_the_order(base: Base, engine: Engine):
    with base_agent(base, engine, max_reply_tokens=8, temperature=1.0) as agent:
        one, other = agent.reply("a#0", LANDING), agent.reply("b#0", LANDING)
        assert (agent.reply("b#0", LANDING), agent.reply("a#0", LANDING)) == (other, one)
        assert one != other


def drawn(base: Base, folder: Path, r: int, seed: int) -> Path:
    """A random adapter that changes the replies."""
    with lora.fresh(base, LoraConfig(name="x", r=r, alpha=2 * r), seed) as tuned, torch.no_grad():
        torch.manual_seed(seed)
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
        return lora.publish(lora.save(tuned, base, folder, {}))


def replies_of(base: Base, folders: dict[str, Path | None], engine: Engine) -> dict[str, Sequence[str]]:
    with model_agents(base, folders, EvalConfig(engine=engine, max_reply_tokens=12), seed=0) as models:
        return {name: [agent.reply(f"{at}#0", LANDING).text for at in range(2)] for name, agent in models.agents.items()}


def test_both_engines_give_the_same_replies_for_base_adapters_and_full_models(base: Base, tmp_path: Path):
    with lora.fresh(base, LoraConfig(name="none", r=0, alpha=0), 0) as tuned, torch.no_grad():
        for parameter in tuned.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
        whole = lora.publish(lora.save(tuned, base, tmp_path / "whole", {}))
    folders = {"base": None, "four": drawn(base, tmp_path / "four", 4, 1), "eight": drawn(base, tmp_path / "eight", 8, 2), "whole": whole}
    together = replies_of(base, folders, Engine.batched)
    assert together == replies_of(base, folders, Engine.sequential)
    assert len({tuple(texts) for texts in together.values()}) == 4
    assert together["base"] == replies_of(base, {"base": None}, Engine.batched)["base"]

"""A batch of rows with different adapters gives the logits of each adapter alone, and leaves nothing on the model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor

from sekft.config import Device, Engine, EvalConfig, LoraConfig, ModelConfig, Weights
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.agents import model_agents
from sekft.model.base import Base
from sekft.model.engine import can_batch
from sekft.model.stacked import NO_ADAPTER, StackedAdapters
from sekft.rendering.messages import Message

ROWS = (NO_ADAPTER, "b", "a", "b", NO_ADAPTER, "a")
PLAIN: Mapping[str, LoraConfig] = {
    "of one shape": LoraConfig(name="x", r=8, alpha=16),
    "of another rank and an odd scale": LoraConfig(name="x", r=3, alpha=5),
    "rank-stabilised": LoraConfig(name="x", r=16, alpha=16, extra={"use_rslora": True}),
    "on some layers only": LoraConfig(name="x", r=4, alpha=8, target_modules="q_proj,down_proj"),
    "of a rank of its own in a layer": LoraConfig(
        name="x", r=4, alpha=8, extra={"rank_pattern": {"q_proj": 9}, "alpha_pattern": {"q_proj": 7}}
    ),
}
OTHER: Mapping[str, LoraConfig] = {
    "on the embeddings": LoraConfig(name="x", r=4, alpha=8, target_modules="q_proj,embed_tokens"),
    "with a saved module": LoraConfig(name="x", r=4, alpha=8, target_modules="q_proj", extra={"modules_to_save": ["lm_head"]}),
    "with biases": LoraConfig(name="x", r=4, alpha=8, target_modules="q_proj", extra={"lora_bias": True}),
}


def load(load_4bit: bool = False) -> Base:
    return bases.load(ModelConfig(name="tiny", path="sekft:tiny", weights=Weights.random, device=Device.cpu, load_4bit=load_4bit))


def drawn(base: Base, config: LoraConfig, folder: Path, seed: int) -> Path:
    with lora.fresh(base, config, seed) as tuned, torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
        return lora.publish(lora.save(tuned, base, folder, {}))


@contextmanager
def two(base: Base, a: LoraConfig, b: LoraConfig, folder: Path) -> Iterator[PeftModel]:
    folders = {"a": drawn(base, a, folder / "a", 1), "b": drawn(base, b, folder / "b", 2)}
    with lora.loaded_all(base, folders) as tuned:
        yield tuned


@torch.no_grad()
def logits(model: Any, ids: Tensor) -> Tensor:
    return model(input_ids=ids, use_cache=False).logits


@torch.no_grad()
def require_own_logits(tuned: PeftModel, adapters: StackedAdapters, length: int) -> None:
    """Each row's logits are those of its adapter alone."""
    ids = torch.randint(5, 900, (len(ROWS), length), generator=torch.Generator().manual_seed(3))
    with adapters.assigned(ROWS):
        together = logits(tuned.get_base_model(), ids)
    for row, name in enumerate(ROWS):
        with lora.activated(tuned, None if name == NO_ADAPTER else name):
            alone = logits(tuned, ids[row : row + 1])[0]
        assert float((together[row] - alone).abs().max()) < 1e-5 * float(alone.abs().max()), f"row {row}, {name}"


@pytest.mark.parametrize("load_4bit", [False, True], ids=["float32", "4 bit"])
@pytest.mark.parametrize("config", PLAIN.values(), ids=PLAIN.keys())
def test_each_row_has_the_logits_of_its_own_adapter(config: LoraConfig, load_4bit: bool, tmp_path: Path):
    with two(load(load_4bit), PLAIN["of one shape"], config, tmp_path) as tuned:
        adapters = StackedAdapters(tuned)
        assert adapters.all_stacked
        for length in (1, 7):
            require_own_logits(tuned, adapters, length)


@pytest.mark.parametrize("config", OTHER.values(), ids=OTHER.keys())
def test_layers_that_cannot_be_stacked_are_computed_by_peft_with_the_same_logits(config: LoraConfig, tmp_path: Path):
    with two(load(), config, config, tmp_path) as tuned:
        adapters = StackedAdapters(tuned)
        assert not adapters.all_stacked
        for length in (1, 7):
            require_own_logits(tuned, adapters, length)


def test_nothing_stays_on_the_model_and_its_weights_are_unchanged(tmp_path: Path):
    with two(load(), PLAIN["of one shape"], OTHER["on the embeddings"], tmp_path) as tuned:
        before = {name: value.clone() for name, value in tuned.state_dict().items()}
        left = {name: (set(vars(module)), list(module._forward_pre_hooks)) for name, module in tuned.named_modules()}
        with pytest.raises(RuntimeError, match="in between"), StackedAdapters(tuned).assigned(ROWS):
            assert any("forward" in vars(module) for module in tuned.modules())
            logits(tuned.get_base_model(), torch.ones((len(ROWS), 3), dtype=torch.long))
            raise RuntimeError("in between")
        assert {name: (set(vars(module)), list(module._forward_pre_hooks)) for name, module in tuned.named_modules()} == left
        assert all(torch.equal(value, before[name]) for name, value in tuned.state_dict().items())


def test_rows_without_an_adapter_have_the_logits_of_the_base(tmp_path: Path):
    base = load()
    ids = torch.arange(5, 35).reshape(3, 10)
    bare = logits(base.model, ids)
    with two(base, PLAIN["of one shape"], PLAIN["rank-stabilised"], tmp_path) as tuned, StackedAdapters(tuned).assigned([NO_ADAPTER] * 3):
        assert torch.equal(logits(tuned.get_base_model(), ids), bare)


@pytest.mark.parametrize("extra", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}], ids=["DoRA", "a module only one saves"])
def test_adapters_that_cannot_share_a_batch_are_generated_one_by_one(extra: dict[str, Any], tmp_path: Path):
    base = load()
    other = drawn(base, LoraConfig(name="x", r=4, alpha=8, target_modules="q_proj,v_proj", extra=extra), tmp_path / "other", 1)
    plain = drawn(base, PLAIN["of one shape"], tmp_path / "plain", 2)
    with lora.loaded_all(base, {"a": plain, "b": other}) as tuned:
        assert not can_batch(tuned)
    replies = []
    for engine in Engine:
        with model_agents(
            base, {"base": None, "plain": plain, "b": other}, EvalConfig(engine=engine, max_reply_tokens=12), seed=0
        ) as models:
            replies.append({name: one.reply("w#0", [Message(role="user", content="$ ")]).text for name, one in models.agents.items()})
    assert replies[0] == replies[1] and len(set(replies[0].values())) == 3

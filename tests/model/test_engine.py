"""Replies generated in a batch equal those generated alone, whatever enters or leaves the batch; nothing is read twice."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from sekft.config import Device, LoraConfig, ModelConfig
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.base import Base
from sekft.model.engine import BatchedEngine, can_batch
from sekft.model.generate import SamplingParameters, generate

MARGIN = 1e-3  # of the logits: sums in another order may decide a tie otherwise


@pytest.fixture
def base(small_mistral: Path) -> Base:
    return bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))


def conversation(seed: int) -> list[list[int]]:
    """What each turn adds to the prompt, in very different lengths."""
    rng = random.Random(seed)
    return [[rng.randrange(300, 30000) for _ in range(rng.choice((1, 3, 40, 150)))] for _ in range(3)]


def converse(engine: BatchedEngine, number: int, sampling: SamplingParameters, adapter: str | None) -> list[tuple[list[int], list[int]]]:
    """(prompt, reply) of every turn; each prompt extends the reply before it."""
    prompt: list[int] = []
    turns = []
    for added in conversation(number):
        prompt = prompt + added
        reply = engine.reply(f"{number:03}", prompt, sampling, adapter)
        turns.append((prompt, reply))
        prompt = prompt + reply
    return turns


@torch.no_grad()
def require_same(base: Base, model: object, prompt: Sequence[int], reply: Sequence[int], sampling: SamplingParameters) -> None:
    """The reply equals the one generated alone, or the first token that differs is a tie."""
    alone = generate(base, model, list(prompt), sampling)
    if alone != list(reply):
        at = next(at for at, (a, b) in enumerate(zip(alone, reply, strict=False)) if a != b)
        logits = model(torch.tensor([[*prompt, *alone[:at]]])).logits[0, -1]  # type: ignore[operator]
        assert float(logits.max() - logits[reply[at]]) < MARGIN, f"token {at} of {reply}, alone {alone}"


@pytest.mark.parametrize("rows", [3, 16])
def test_batched_replies_equal_single_ones_while_conversations_enter_leave_and_are_dropped(base: Base, rows: int):
    samplings = [SamplingParameters(max_tokens=length) for length in (1, 4, 12)]
    with BatchedEngine(base.model, base.tokenizer.stop_ids, rows) as engine, ThreadPoolExecutor(7) as pool:
        conversations = list(pool.map(lambda number: converse(engine, number, samplings[number % 3], None), range(7)))
    for number, turns in enumerate(conversations):
        for prompt, reply in turns:
            require_same(base, base.model, prompt, reply, samplings[number % 3])


def test_a_sliding_window_is_respected(base: Base, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base.model.config, "sliding_window", 7)
    sampling = SamplingParameters(max_tokens=8)
    with BatchedEngine(base.model, base.tokenizer.stop_ids, 4) as engine, ThreadPoolExecutor(3) as pool:
        conversations = list(pool.map(lambda number: converse(engine, number, sampling, None), range(3)))
    for turns in conversations:
        for prompt, reply in turns:
            require_same(base, base.model, prompt, reply, sampling)


def gemma(kind: str, **more: Any) -> PreTrainedModel:
    """Two layers look back five tokens, the others at everything."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        vocab_size=32768,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=5,
        layer_types=["sliding_attention", "full_attention"] * 2,
        initializer_range=0.3,
        **more,
    )
    # gemma2 supports only eager attention
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager" if kind == "gemma2" else "sdpa").eval()


@pytest.mark.parametrize("kind", ["gemma2", "gemma3_text", "qwen2"])
def test_layers_with_and_without_a_window_each_attend_to_their_own_columns(base: Base, kind: str):
    mixed = replace(base, model=gemma(kind, **({"use_sliding_window": True} if kind == "qwen2" else {})))
    sampling = SamplingParameters(max_tokens=8)
    with BatchedEngine(mixed.model, base.tokenizer.stop_ids, 4) as engine, ThreadPoolExecutor(3) as pool:
        conversations = list(pool.map(lambda number: converse(engine, number, sampling, None), range(3)))
    for turns in conversations:
        for prompt, reply in turns:
            require_same(mixed, mixed.model, prompt, reply, sampling)


def test_a_model_with_other_state_than_keys_and_values_cannot_be_batched(base: Base):
    assert can_batch(base.model) and can_batch(gemma("gemma3_text"))
    small = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1}
    assert not can_batch(AutoModelForCausalLM.from_config(AutoConfig.for_model("mamba", state_size=4, **small)))


def test_each_row_uses_its_own_adapter_or_none(base: Base, tmp_path: Path):
    """Five agents in one batch, of different ranks, entering and leaving."""
    sampling, folders = SamplingParameters(max_tokens=8), {}
    for rank in (2, 4, 8, 16):
        with lora.fresh(base, LoraConfig(name="x", r=rank, alpha=2 * rank), seed=rank) as tuned, torch.no_grad():
            for name, parameter in tuned.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.2, generator=torch.Generator().manual_seed(rank))
            folders[f"r{rank}"] = lora.publish(lora.save(tuned, base, tmp_path / str(rank), {}))
    adapters = [None, *folders] * 2
    with lora.loaded_all(base, folders) as tuned:
        with BatchedEngine(tuned, base.tokenizer.stop_ids, 8) as engine, ThreadPoolExecutor(len(adapters)) as pool:
            conversations = list(pool.map(lambda number: converse(engine, number, sampling, adapters[number]), range(len(adapters))))
        for adapter, turns in zip(adapters, conversations, strict=True):
            for prompt, reply in turns:
                with lora.activated(tuned, adapter):
                    require_same(base, tuned, prompt, reply, sampling)


def test_every_token_of_a_conversation_is_read_once(base: Base):
    with BatchedEngine(base.model, base.tokenizer.stop_ids, 8) as engine, ThreadPoolExecutor(8) as pool:
        conversations = list(pool.map(lambda number: converse(engine, number, SamplingParameters(max_tokens=9), None), range(5)))
    last = sum(len(turns[-1][0]) + len(turns[-1][1]) for turns in conversations)
    assert engine.counts.minimum() == last
    assert engine.counts.read() == last - len(conversations)  # the last token of a conversation is never read


def test_a_conversation_whose_cache_was_dropped_is_read_again(base: Base):
    with BatchedEngine(base.model, base.tokenizer.stop_ids, 1) as engine:
        first = [converse(engine, number, SamplingParameters(max_tokens=3), None) for number in range(4)]
        before = engine.counts.prefilled
        prompt, reply = first[0][-1]
        engine.reply("000", [*prompt, *reply, 400], SamplingParameters(max_tokens=3))
    assert engine.counts.prefilled == before + len(prompt) + len(reply) + 1


def test_sampled_replies_equal_those_of_transformers(base: Base):
    prompt = conversation(0)[0] + [500, 600]
    for sampling in (
        SamplingParameters(12, temperature=0.7, seed=5),
        SamplingParameters(12, temperature=1.3, top_p=0.8, seed=6),
        SamplingParameters(12, 2.0, seed=7, top_k=3),
    ):
        with BatchedEngine(base.model, base.tokenizer.stop_ids, 4) as engine:
            assert engine.reply("x", prompt, sampling) == generate(base, base.model, prompt, sampling)


def test_a_callback_can_end_a_reply(base: Base):
    with BatchedEngine(base.model, base.tokenizer.stop_ids, 4) as engine:
        assert len(engine.reply("x", [400, 500], SamplingParameters(50), should_stop=lambda reply: len(reply) == 3)) == 3


def test_a_request_without_a_conversation_key_is_not_cached(base: Base):
    with BatchedEngine(base.model, base.tokenizer.stop_ids, 4) as engine:
        assert engine.reply("", [400, 500], SamplingParameters(4)) == engine.reply("x", [400, 500], SamplingParameters(4))
        assert set(engine._contexts) == set(engine.counts.context) == {"x"}


def test_an_error_of_the_model_reaches_the_caller_and_the_next_request_is_answered(base: Base):
    sampling = SamplingParameters(4)
    outside = base.model.config.vocab_size + 1
    with BatchedEngine(base.model, base.tokenizer.stop_ids, 4) as engine:
        for _ in range(2):
            with pytest.raises(IndexError):
                engine.reply("x", [outside], sampling)
        assert engine.reply("x", [400, 500], sampling) == generate(base, base.model, [400, 500], sampling)

"""Replies generated together are those generated alone, whoever enters or leaves the batch; nothing is read twice."""

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
from sekft.model.engine import Engine, generated_together
from sekft.model.generate import Draw, generate

MARGIN = 1e-3  # of the logits: sums in another order may decide a tie otherwise


@pytest.fixture
def base(small_mistral: Path) -> Base:
    return bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))


def conversation(seed: int) -> list[list[int]]:
    """What is added to the prompt from turn to turn, of very different lengths."""
    rng = random.Random(seed)
    return [[rng.randrange(300, 30000) for _ in range(rng.choice((1, 3, 40, 150)))] for _ in range(3)]


def live(engine: Engine, number: int, draw: Draw, adapter: str | None) -> list[tuple[list[int], list[int]]]:
    """(prompt, reply) of every turn; each prompt goes on where the reply before it ended."""
    prompt: list[int] = []
    turns = []
    for added in conversation(number):
        prompt = prompt + added
        reply = engine.reply(f"{number:03}", prompt, draw, adapter)
        turns.append((prompt, reply))
        prompt = prompt + reply
    return turns


@torch.no_grad()
def require_same(base: Base, model: object, prompt: Sequence[int], reply: Sequence[int], draw: Draw) -> None:
    """The reply alone is this one, or the first token that differs was a tie."""
    alone = generate(base, model, list(prompt), draw)
    if alone != list(reply):
        at = next(at for at, (a, b) in enumerate(zip(alone, reply, strict=False)) if a != b)
        logits = model(torch.tensor([[*prompt, *alone[:at]]])).logits[0, -1]  # type: ignore[agent]
        assert float(logits.max() - logits[reply[at]]) < MARGIN, f"token {at} of {reply}, alone {alone}"


@pytest.mark.parametrize("rows", [3, 16])
def test_replies_together_are_the_replies_alone_while_episodes_enter_leave_and_are_forgotten(base: Base, rows: int):
    draws = [Draw(max_tokens=length) for length in (1, 4, 12)]
    with Engine(base.model, base.tokenizer.stop_ids, rows) as engine, ThreadPoolExecutor(7) as pool:
        episodes = list(pool.map(lambda number: live(engine, number, draws[number % 3], None), range(7)))
    for number, turns in enumerate(episodes):
        for prompt, reply in turns:
            require_same(base, base.model, prompt, reply, draws[number % 3])


def test_a_sliding_window_is_kept(base: Base, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base.model.config, "sliding_window", 7)
    draw = Draw(max_tokens=8)
    with Engine(base.model, base.tokenizer.stop_ids, 4) as engine, ThreadPoolExecutor(3) as pool:
        episodes = list(pool.map(lambda number: live(engine, number, draw, None), range(3)))
    for turns in episodes:
        for prompt, reply in turns:
            require_same(base, base.model, prompt, reply, draw)


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
    # gemma2 knows no other way than eager
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager" if kind == "gemma2" else "sdpa").eval()


@pytest.mark.parametrize("kind", ["gemma2", "gemma3_text", "qwen2"])
def test_layers_with_and_without_a_window_each_keep_their_own(base: Base, kind: str):
    mixed = replace(base, model=gemma(kind, **({"use_sliding_window": True} if kind == "qwen2" else {})))
    draw = Draw(max_tokens=8)
    with Engine(mixed.model, base.tokenizer.stop_ids, 4) as engine, ThreadPoolExecutor(3) as pool:
        episodes = list(pool.map(lambda number: live(engine, number, draw, None), range(3)))
    for turns in episodes:
        for prompt, reply in turns:
            require_same(mixed, mixed.model, prompt, reply, draw)


def test_a_model_that_keeps_more_than_keys_and_values_is_not_generated_together(base: Base):
    assert generated_together(base.model) and generated_together(gemma("gemma3_text"))
    small = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1}
    assert not generated_together(AutoModelForCausalLM.from_config(AutoConfig.for_model("mamba", state_size=4, **small)))


def test_each_row_has_its_own_adapter_or_none(base: Base, tmp_path: Path):
    """Five agents in one batch, of different ranks, entering and leaving."""
    draw, folders = Draw(max_tokens=8), {}
    for rank in (2, 4, 8, 16):
        with lora.fresh(base, LoraConfig(name="x", r=rank, alpha=2 * rank), seed=rank) as tuned, torch.no_grad():
            for name, parameter in tuned.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.2, generator=torch.Generator().manual_seed(rank))
            folders[f"r{rank}"] = lora.publish(lora.save(tuned, base, tmp_path / str(rank), {}))
    wanted = [None, *folders] * 2
    with lora.loaded_all(base, folders) as tuned:
        with Engine(tuned, base.tokenizer.stop_ids, 8) as engine, ThreadPoolExecutor(len(wanted)) as pool:
            episodes = list(pool.map(lambda number: live(engine, number, draw, wanted[number]), range(len(wanted))))
        for adapter, turns in zip(wanted, episodes, strict=True):
            for prompt, reply in turns:
                with lora.chosen(tuned, adapter):
                    require_same(base, tuned, prompt, reply, draw)


def test_every_token_of_a_episode_is_read_once(base: Base):
    with Engine(base.model, base.tokenizer.stop_ids, 8) as engine, ThreadPoolExecutor(8) as pool:
        episodes = list(pool.map(lambda number: live(engine, number, Draw(max_tokens=9), None), range(5)))
    last = sum(len(turns[-1][0]) + len(turns[-1][1]) for turns in episodes)
    assert engine.counts.needed() == last
    assert engine.counts.read() == last - len(episodes)  # the last token of an episode is never read


def test_a_episode_that_was_forgotten_is_read_again(base: Base):
    with Engine(base.model, base.tokenizer.stop_ids, 1) as engine:
        first = [live(engine, number, Draw(max_tokens=3), None) for number in range(4)]
        before = engine.counts.prefilled
        prompt, reply = first[0][-1]
        engine.reply("000", [*prompt, *reply, 400], Draw(max_tokens=3))
    assert engine.counts.prefilled == before + len(prompt) + len(reply) + 1


def test_sampled_replies_are_those_of_transformers(base: Base):
    prompt = conversation(0)[0] + [500, 600]
    for draw in (Draw(12, temperature=0.7, seed=5), Draw(12, temperature=1.3, top_p=0.8, seed=6), Draw(12, 2.0, seed=7, top_k=3)):
        with Engine(base.model, base.tokenizer.stop_ids, 4) as engine:
            assert engine.reply("x", prompt, draw) == generate(base, base.model, prompt, draw)


def test_a_listener_can_end_a_reply(base: Base):
    with Engine(base.model, base.tokenizer.stop_ids, 4) as engine:
        assert len(engine.reply("x", [400, 500], Draw(50), ended=lambda reply: len(reply) == 3)) == 3


def test_a_request_that_nothing_follows_leaves_nothing_behind(base: Base):
    with Engine(base.model, base.tokenizer.stop_ids, 4) as engine:
        assert engine.reply("", [400, 500], Draw(4)) == engine.reply("x", [400, 500], Draw(4))
        assert set(engine._pasts) == set(engine.counts.context) == {"x"}


def test_an_error_of_the_model_is_that_of_who_asked_and_the_next_one_is_answered(base: Base):
    draw = Draw(4)
    outside = base.model.config.vocab_size + 1
    with Engine(base.model, base.tokenizer.stop_ids, 4) as engine:
        for _ in range(2):
            with pytest.raises(IndexError):
                engine.reply("x", [outside], draw)
        assert engine.reply("x", [400, 500], draw) == generate(base, base.model, [400, 500], draw)

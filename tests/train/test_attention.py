"""Attention within rows: bounds from the positions, results equal to those of the dense block-diagonal mask."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM, Gemma2Config, GPT2Config, MistralConfig

from sekft.data.sample import Row
from sekft.errors import ModelError
from sekft.train import attention
from sekft.train.collator import packed

LENGTHS = [5, 1, 12, 3]
ROWS = [Row(str(length), tuple(range(3, 3 + length)), (0.0, *[1.0] * (length - 1))) for length in LENGTHS]


def test_rows_begin_where_positions_are_zero():
    bounds = attention.row_bounds(packed(ROWS)["position_ids"])
    assert bounds["cu_seq_lens_q"].tolist() == [0, 5, 6, 18, 21] and bounds["cu_seq_lens_q"].dtype == torch.int32
    assert bounds["max_length_q"] == 12
    assert attention.row_bounds(torch.arange(7)[None])["cu_seq_lens_q"].tolist() == [0, 7]


@pytest.mark.parametrize("window", [None, 1, 4, 12, 100])
@pytest.mark.parametrize("groups", [1, 2])
def test_attend_equals_attention_with_the_dense_mask(window: int | None, groups: int):
    generator = torch.Generator().manual_seed(0)
    total, heads, size = sum(LENGTHS), 4, 8
    query = torch.randn(1, heads, total, size, generator=generator, dtype=torch.float64, requires_grad=True)
    key = torch.randn(1, heads // groups, total, size, generator=generator, dtype=torch.float64, requires_grad=True)
    value = torch.randn(1, heads // groups, total, size, generator=generator, dtype=torch.float64, requires_grad=True)
    row = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
    at = torch.arange(total)
    seen = (row[:, None] == row[None]) & (at[:, None] >= at[None]) & (at[:, None] - at[None] < (window or total))
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=0.3, enable_gqa=True)
    bounds = attention.row_bounds(packed(ROWS)["position_ids"])
    found, _ = attention.attend(torch.nn.Module(), query, key, value, None, scaling=0.3, sliding_window=window, **bounds)
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-12)
    tensors = (query, key, value)
    for ours, theirs in zip(*(torch.autograd.grad((out**2).sum(), tensors) for out in (found, expected)), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-11)


@pytest.mark.skipif(not attention.KERNEL, reason="torch has no variable-length attention")
def test_the_kernel_takes_what_it_is_given_and_gives_gradients_back():
    """By shapes and types alone, as autocast leaves them: without a GPU its numbers cannot be had (see the gpu test)."""
    with FakeTensorMode():
        query = torch.empty(1, 8, 40, 64, requires_grad=True)
        key = torch.empty(1, 2, 40, 64, requires_grad=True)
        value = torch.empty(1, 2, 40, 64, dtype=torch.bfloat16, requires_grad=True)
        found = attention._kernel(query, key, value, torch.empty(4, dtype=torch.int32), 30, scale=0.1, window_size=(5, 0))
        found.float().sum().backward()
    assert (found.shape, found.dtype) == ((1, 40, 8, 64), torch.bfloat16)
    assert query.grad is not None and key.grad is not None and (query.grad.shape, key.grad.shape) == (query.shape, key.shape)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("window", [None, 4])
def test_on_a_gpu_the_kernel_gives_what_single_rows_give(window: int | None):
    torch.manual_seed(0)
    states = [torch.randn(1, heads, sum(LENGTHS), 64, device="cuda", dtype=torch.bfloat16, requires_grad=True) for heads in (8, 2, 2)]
    bounds = {
        key: value.cuda() if torch.is_tensor(value) else value for key, value in attention.row_bounds(packed(ROWS)["position_ids"]).items()
    }
    ours, _ = attention.attend(torch.nn.Module(), *states, None, scaling=0.125, sliding_window=window, **bounds)
    alone, _ = attention.attend(torch.nn.Module(), *(one.float() for one in states), None, scaling=0.125, sliding_window=window, **bounds)
    assert torch.allclose(ours.float(), alone, atol=2e-2)
    for one, other in zip(*(torch.autograd.grad(out.float().sum(), states) for out in (ours, alone)), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=5e-2)


def small(config: type, attn_implementation: str = "sdpa", **more: object) -> torch.nn.Module:
    torch.manual_seed(0)
    shape = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, **more}
    return AutoModelForCausalLM.from_config(config(**shape), attn_implementation=attn_implementation)


@torch.no_grad()
def test_a_packed_pass_gives_every_row_the_logits_it_has_alone_and_the_dense_masks():
    model = small(MistralConfig, intermediate_size=48, num_key_value_heads=2)
    batch = {key: value for key, value in packed(ROWS).items() if key != "weight"}
    dense = model(**batch, use_cache=False).logits  # with a cache transformers would not look for rows
    with attention.by_rows(model) as within:
        assert within
        ours = model(**batch, **attention.row_bounds(batch["position_ids"])).logits
    alone = torch.cat([model(input_ids=torch.tensor([row.ids])).logits[0] for row in ROWS])
    assert torch.allclose(ours[0], alone, atol=1e-6) and torch.allclose(ours, dense, atol=1e-6)
    assert model.config._attn_implementation == "sdpa"


def test_a_pass_without_row_bounds_is_refused_rather_than_mixed():
    model = small(MistralConfig, intermediate_size=48, num_key_value_heads=2)
    with attention.by_rows(model), pytest.raises(ModelError, match="no row bounds.*trainer.tokens_per_batch=0"):
        model(input_ids=torch.tensor([[3, 4]]))


def test_what_would_be_added_to_the_scores_is_refused():
    states = torch.ones(1, 1, 4, 8)
    bounds = attention.row_bounds(torch.arange(4)[None])
    with pytest.raises(ModelError, match="^Module: adds softcap to its scores; allowed with it: trainer.tokens_per_batch=0"):
        attention.attend(torch.nn.Module(), states, states, states, None, softcap=50.0, **bounds)


@torch.no_grad()
def test_an_architecture_with_attention_of_its_own_keeps_it_and_rows_stay_apart():
    model = small(Gemma2Config, intermediate_size=48, num_key_value_heads=2, head_dim=8, attn_implementation="eager")
    batch = {key: value for key, value in packed(ROWS).items() if key != "weight"}
    with attention.by_rows(model) as within:
        assert not within
        found = model(**batch, **attention.row_bounds(batch["position_ids"]), use_cache=False).logits[0]
    alone = torch.cat([model(input_ids=torch.tensor([row.ids])).logits[0] for row in ROWS])
    assert torch.allclose(found, alone, atol=1e-6)


def test_attention_is_the_models_own_again_also_after_an_error():
    model = small(GPT2Config)
    with pytest.raises(KeyError), attention.by_rows(model):
        raise KeyError
    assert model.config._attn_implementation == "sdpa"

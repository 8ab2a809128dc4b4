"""Padded, packed, one by one: the same loss and gradients; no row attends to or predicts another."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedConfig, Qwen2Config

from sekft.data.sample import Row
from sekft.train import attention, collator
from sekft.train.batch_plan import Layout
from sekft.train.trainer import weighted_nll

SHAPE = {"vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPES = {
    "mistral": MistralConfig(**SHAPE, num_key_value_heads=2),
    "mistral with a window": MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=6),
    "llama": LlamaConfig(**SHAPE, num_key_value_heads=4),
    "qwen2": Qwen2Config(**SHAPE, num_key_value_heads=1),
}
ROWS = st.lists(
    st.lists(st.tuples(st.integers(0, 96), st.sampled_from([0.0, 0.0, 1.0, 0.25, 4.0])), min_size=2, max_size=30), min_size=1, max_size=6
).map(lambda drawn: [Row(str(number), *map(tuple, zip(*row, strict=True))) for number, row in enumerate(drawn)])
LAYOUTS = {
    "padded": Layout(0, 4),
    "padded one by one": Layout(0, 1),
    "one by one": Layout(1),
    "packed to 40": Layout(40),
    "in one pass": Layout(10**6),
}


def adapted(shape: PreTrainedConfig) -> PeftModel:
    """A LoRA whose B is not zero, so that every one of its weights has a gradient."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(shape, attn_implementation="sdpa", dtype=torch.float32).requires_grad_(False)
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return tuned.train()


@pytest.fixture(scope="module", params=SHAPES)
def tuned(request: pytest.FixtureRequest) -> Iterator[PeftModel]:
    yield adapted(SHAPES[request.param])


def one_step(model: PeftModel, rows: Sequence[Row], layout: Layout) -> tuple[float, torch.Tensor]:
    """The loss of a step and its gradient, both divided by the weights of all its rows."""
    model.zero_grad()
    total, loss = max(collator.learned(rows), 1e-3), 0.0
    for positions in layout.passes([len(row.ids) for row in rows]):
        chosen = [rows[at] for at in positions]
        batch = collator.packed(chosen) if layout.tokens else collator.padded(chosen, pad_id=2)
        with attention.by_rows(model) if layout.tokens else nullcontext():
            part = weighted_nll(model, batch) / total
            part.backward()
        loss += float(part.detach())
    return loss, torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.requires_grad])


@given(rows=ROWS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_padded_is_packed_is_one_by_one(tuned: PeftModel, rows: list[Row]):
    loss, gradient = one_step(tuned, rows, LAYOUTS["padded"])
    for name, layout in LAYOUTS.items():
        other, its = one_step(tuned, rows, layout)
        assert other == pytest.approx(loss, rel=1e-6, abs=1e-6), name
        assert float((its - gradient).abs().max()) <= 1e-6 * max(1.0, float(gradient.abs().max())), name


def test_the_layouts_would_differ_if_a_row_saw_its_neighbour():
    tuned, rows = adapted(SHAPES["mistral"]), [Row("a", (3, 4, 5, 6), (0.0, 1.0, 1.0, 1.0)), Row("b", (7, 8, 9), (0.0, 1.0, 1.0))]
    mixed = collator.packed([Row("ab", rows[0].ids + rows[1].ids, rows[0].weight + rows[1].weight)])
    with attention.by_rows(tuned), torch.no_grad():
        seen = float(weighted_nll(tuned, mixed)) / collator.learned(rows)
    assert seen != pytest.approx(one_step(tuned, rows, Layout(100))[0], rel=1e-3)


def test_the_first_token_of_a_row_is_not_predicted_from_the_row_before():
    rows = [Row("a", (3, 4), (0.0, 1.0)), Row("b", (7, 8), (9.0, 1.0))]
    assert collator.packed(rows) | {} == {
        "input_ids": Same([[3, 4, 7, 8]]),
        "position_ids": Same([[0, 1, 0, 1]]),
        "weight": Same([[0.0, 1.0, 0.0, 1.0]]),
    }
    assert collator.padded(rows, 2)["weight"].tolist() == [[0.0, 1.0], [0.0, 1.0]] and collator.learned(rows) == 2


class Same:
    """Equal to a tensor of these values."""

    def __init__(self, values: list) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, torch.Tensor) and other.tolist() == self.values


def test_pads_are_never_learned_though_the_pad_is_the_stop_token():
    batch = collator.padded([Row("a", (5, 6, 2), (0.0, 1.0, 1.0)), Row("b", (5, 2), (0.0, 1.0))], pad_id=2)
    assert batch["input_ids"].tolist() == [[5, 6, 2], [5, 2, 2]]
    assert batch["weight"].tolist() == [[0, 1, 1], [0, 1, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]

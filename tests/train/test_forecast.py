"""The forecast: parameters and adapters to the last one, FLOPs and kept bytes as counted on tensors without storage."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig as PeftLora
from peft import get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedConfig, Qwen2Config, Qwen3Config

from benchmarks.counters import Setting, layers, one_pass, per_layer
from sekft.config import Device, LoraConfig, ModelConfig, TrainConfig, TrainerConfig
from sekft.data.sample import Row
from sekft.model.shape import Shape, shape_of
from sekft.train import forecast
from sekft.train.forecast import flops

R16 = LoraConfig(name="r16", r=16, alpha=32)
SMALL = {"vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4}
CONFIGS = {
    "Mistral-7B": MistralConfig(),
    "Qwen2.5-3B": Qwen2Config(
        vocab_size=151936, hidden_size=2048, intermediate_size=11008, num_hidden_layers=36, num_attention_heads=16,
        num_key_value_heads=2, tie_word_embeddings=True,
    ),
    "qwen3": Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=24),
    "llama with biases": LlamaConfig(**SMALL, num_key_value_heads=1, attention_bias=True, mlp_bias=True),
    "tied llama": LlamaConfig(**SMALL, tie_word_embeddings=True),
}  # fmt: skip


def as_read(config: PreTrainedConfig) -> Shape:
    """The shape from config.json."""
    shape = shape_of(json.loads(config.to_json_string(use_diff=False)))
    assert shape is not None
    return shape


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_and_adapters_are_counted_to_the_last_one(name: str):
    shape = as_read(CONFIGS[name])
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(CONFIGS[name])
        assert shape.matrices() + shape.others() == sum(parameter.numel() for parameter in model.parameters())
        tuned = get_peft_model(model, PeftLora(r=16, target_modules="all-linear", task_type="CAUSAL_LM"))
        assert shape.adapter(R16) == tuned.get_nb_trainable_parameters()[0]
        tuned = get_peft_model(tuned.unload(), PeftLora(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
        some = LoraConfig(name="some", r=4, alpha=8, target_modules="q_proj, down_proj")
        assert shape.adapter(some) == tuned.get_nb_trainable_parameters()[0]


def test_mistral_7b_in_numbers():
    shape = as_read(CONFIGS["Mistral-7B"])
    assert (shape.matrices(), shape.matrices() + shape.others(), shape.adapter(R16)) == (6_979_321_856, 7_241_732_096, 41_943_040)
    assert [round(shape.kept(2, 16, dropout) / 1024, 2) for dropout in (False, True)] == [180.35, 288.35]


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("name", ["Mistral-7B", "tied llama"])
def test_kept_bytes_are_those_that_torch_keeps(name: str, bfloat16: bool, dropout: float):
    setting = Setting(dropout=dropout, bfloat16=bfloat16)
    counted = (per_layer(CONFIGS[name], setting, 512).saved - per_layer(CONFIGS[name], setting, 256).saved) / 256
    assert as_read(CONFIGS[name]).kept(2 if bfloat16 else 4, 16, dropout > 0) == counted


@pytest.mark.parametrize("checkpointing", [False, True])
def test_flops_are_those_that_torch_counts(checkpointing: bool):
    config = layers(CONFIGS["Mistral-7B"], 2)
    shape, tokens, learned = as_read(config), 1024, 123
    ours = flops(shape, shape.adapter(R16), [tokens], learned, checkpointing)
    scores = 2 * shape.layers * shape.query * tokens**2 * (4.5 if checkpointing else 3.5)  # no counter sees them
    theirs = one_pass(config, Setting(checkpointing=checkpointing), tokens, learned).flops
    first = sum(inputs * (outputs + 16) for name, (inputs, outputs) in shape.linear().items() if name[0] in "qkv")
    # torch saves the gradient of the first layer's input, or with checkpointing a layer's last product, that of down_proj's lora_B
    spared = 2 * tokens * (shape.layers * 16 * shape.hidden if checkpointing else first)
    assert ours - scores - spared == theirs


def rows(*lengths: int) -> list[Row]:
    return [Row(str(length), (1,) * length, (0.0,) * (length - 10) + (1.0,) * 10) for length in lengths]


def test_checkpointing_and_4_bits_and_smaller_passes_need_less_and_padding_needs_more():
    shape = as_read(CONFIGS["Mistral-7B"])

    def forecast_of(load_4bit: bool = True, dropout: float = 0.0, **trainer) -> forecast.Forecast:
        settings = TrainConfig(
            model=ModelConfig(name="m", path="m", load_4bit=load_4bit),
            lora=LoraConfig(name="r16", r=16, alpha=32, dropout=dropout),
            trainer=TrainerConfig(batch=4, **trainer),
        )
        return forecast.forecast(shape, settings, rows(1000, 2000, 3000, 500), "cuda", torch.bfloat16, steps=7)

    usual = forecast_of()
    assert usual.tokens == 6500 and usual.steps == 7
    assert usual.weights / 1e9 == pytest.approx(4.12, abs=0.01) and forecast_of(load_4bit=False).weights / 1e9 == pytest.approx(
        14.48, abs=0.01
    )
    assert usual.activations == 6500 * (32 * 8 + 180.3515625) * 1024
    assert forecast_of(checkpointing=False).activations == 6500 * 32 * 180.3515625 * 1024
    assert forecast_of(checkpointing=False).flops < usual.flops < forecast_of(tokens_per_batch=0).flops
    assert forecast_of(tokens_per_batch=3000).tokens == 3000 and forecast_of(tokens_per_batch=0).tokens == 12000
    assert forecast_of(dropout=0.05).activations > usual.activations
    assert usual.logits == 40 * 32000 * 16


@pytest.mark.parametrize(("gib", "fits"), [(24, False), (80, True)])
def test_activations_are_recomputed_only_where_they_do_not_fit(gib: int, fits: bool):
    settings = TrainConfig(model=ModelConfig(name="m", path="m", load_4bit=True), lora=R16, trainer=TrainerConfig(batch=4))
    shape = as_read(CONFIGS["Mistral-7B"])
    assert forecast.fits(shape, settings, rows(1000, 2000, 3000, 500), "cuda", torch.bfloat16, gib * 2**30) is fits


def test_checkpointing_is_not_decided_on_a_cpu_or_when_it_is_set(small_mistral: Path):
    for trainer in (TrainerConfig(), TrainerConfig(checkpointing=True)):
        settings = TrainConfig(model=ModelConfig(name="m", path=str(small_mistral), device=Device.cpu), lora=R16, trainer=trainer)
        assert forecast.decide_checkpointing(small_mistral, settings, rows(20)) == settings


def test_the_line_has_the_needed_and_the_free_memory(small_mistral: Path):
    settings = TrainConfig(model=ModelConfig(name="m", path=str(small_mistral)), lora=R16, trainer=TrainerConfig())
    brief, line = forecast.lines(small_mistral, settings, rows(20, 30), steps=3)
    assert len(brief) <= 80 and brief.startswith("forecast: ") and "GiB of" in brief and "3 steps" in brief
    assert line.startswith("forecast: weights 0.0") and "30 tokens" not in line and "50 tokens in the largest pass" in line
    assert "GiB of" in line and "3 steps" in line and "\n" not in line and "MAY NOT" not in line


def test_an_unknown_architecture_has_no_forecast(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    assert (
        forecast.lines(tmp_path, TrainConfig(), rows(20), 1)[0]
        == "forecast: none for model_type=gpt2 (known: llama, mistral, qwen2, qwen3)"
    )

"""The number type of a base's weights: what `auto` chooses and why, and training and generation in bfloat16 on a CPU."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from sekft.config import Device, Dtype, LoraConfig, ModelConfig, Precision, TrainerConfig
from sekft.data.sample import Row
from sekft.model import base as bases
from sekft.model import dtype as types
from sekft.model import lora
from sekft.model.dtype import choose_dtype, count_parameters, is_mixed
from sekft.train.trainer import make_trainer

CPU = torch.device("cpu")
LARGE = {"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9}


def choose(folder: Path, **changes) -> tuple[torch.dtype, str]:
    return choose_dtype(ModelConfig(name="m", path=str(folder), **changes), folder, CPU)


@pytest.mark.parametrize("feature", ["", "amx_bf16"])
def test_auto_is_bfloat16_on_a_fast_cpu_for_a_real_base_alone(
    feature: str, small_mistral: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(types, "fast_bfloat16", lambda: feature)
    (tmp_path / "config.json").write_text(json.dumps(LARGE))
    expected = torch.bfloat16 if feature else torch.float32
    dtype, reason = choose(tmp_path)
    assert dtype is expected and (feature or "no fast bfloat16") in reason
    assert choose(small_mistral)[0] is torch.float32
    assert choose(small_mistral, dtype=Dtype.bfloat16) == (torch.bfloat16, "model.dtype=bfloat16")
    assert choose(tmp_path, dtype=Dtype.float32)[0] is torch.float32


def test_parameters_are_counted_without_weights(small_mistral: Path, tmp_path: Path):
    loaded = AutoModelForCausalLM.from_pretrained(small_mistral)
    assert count_parameters(small_mistral) == loaded.num_parameters()
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
    assert count_parameters(tmp_path) == 0


def test_training_is_mixed_where_the_weights_are_bfloat16_or_on_a_gpu():
    assert is_mixed(Precision.auto, "cpu", torch.bfloat16) and is_mixed(Precision.auto, "cuda", torch.float32)
    assert not is_mixed(Precision.auto, "cpu", torch.float32) and not is_mixed(Precision.float32, "cpu", torch.bfloat16)


def test_an_adapter_on_bfloat16_weights_learns_in_float32_and_gives_its_logits_again(small_mistral: Path, tmp_path: Path):
    config = ModelConfig(name="small", path=str(small_mistral), device=Device.cpu, dtype=Dtype.bfloat16)
    base = bases.load(config)
    assert base.model.dtype is base.dtype is torch.bfloat16 and "weights in bfloat16: model.dtype=bfloat16" in base.line()
    ids = tuple(range(5, 45))
    row = Row("one", ids, (0.0, *[1.0] * (len(ids) - 1)))
    with lora.fresh(base, LoraConfig(name="r4", r=4, alpha=8), seed=0) as tuned:
        trainer = make_trainer(tuned, base, [row], TrainerConfig(max_steps=2, lr=1e-2, warmup=0.0), tmp_path / "steps", seed=0)
        trainer.train()
        assert trainer.args.bf16 and {p.dtype for name, p in tuned.named_parameters() if "lora_" in name} == {torch.float32}
        folder = lora.publish(lora.save(tuned, base, tmp_path / "adapter", base.fingerprint()))
        trained = lora.probe(tuned, base, ids)
    assert lora.prove(base, folder, ids, trained) > 0
    exact = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu, dtype=Dtype.float32))
    assert exact is not base and exact.fingerprint() == base.fingerprint()

"""Adapters made by PEFT: whole ones give the trained logits, one that lacks a trained tensor is refused in one line."""

from pathlib import Path

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoraConfig, PeftConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from sekft.config import Device, ModelConfig
from sekft.errors import ModelError
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.base import Base

LORA = {"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM", "target_modules": "all-linear"}
MLP = {"task_type": "CAUSAL_LM", "target_modules": ["k_proj", "v_proj", "down_proj"]}
CONFIGS: dict[str, PeftConfig] = {
    "lora": LoraConfig(**LORA),
    "dora": LoraConfig(**LORA, use_dora=True),
    "norm saved": LoraConfig(**LORA, modules_to_save=["norm"]),
    "head saved": LoraConfig(**LORA, modules_to_save=["lm_head"]),
    "tokens": LoraConfig(**LORA, trainable_token_indices=[5, 6, 7]),
    "biases": LoraConfig(**LORA, bias="all"),
    "ia3": IA3Config(**MLP, feedforward_modules=["down_proj"]),
    "loha": LoHaConfig(**MLP, r=4),
}
IDS = list(range(10, 60))


@pytest.fixture(scope="module")
def tiny() -> Base:
    return bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))


def save(base: Base, config: PeftConfig, folder: Path) -> torch.Tensor:
    """Save an adapter with random weights; returns its logits."""
    torch.manual_seed(1)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32), config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn_like(parameter)
    model.eval()
    model.save_pretrained(folder)
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0]


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_whole_adapter_gives_the_trained_logits_and_one_without_a_tensor_is_refused(tiny: Base, tmp_path: Path, kind: str) -> None:
    trained = save(tiny, CONFIGS[kind], tmp_path)
    before = lora.probe(tiny.model, tiny, IDS)
    with lora.loaded(tiny, tmp_path) as tuned:
        torch.testing.assert_close(lora.probe(tuned, tiny, IDS), trained, atol=1e-4, rtol=1e-4)
    file = tmp_path / "adapter_model.safetensors"
    weights = load_file(file)
    others = sorted(weights, key=lambda key: "lora_" in key)  # what PEFT itself does not miss comes first
    for dropped in (others[:1], others[-1:], list(weights)):
        save_file({key: value for key, value in weights.items() if key not in dropped}, file, metadata={"format": "pt"})
        with pytest.raises(ModelError) as refused, lora.loaded(tiny, tmp_path):
            pass
        assert str(refused.value).startswith(f"{file}: lacks {len(dropped)} of {len(weights)} tensors that adapter_config.json promises")
        assert "\n" not in str(refused.value)
    assert torch.equal(lora.probe(tiny.model, tiny, IDS), before)

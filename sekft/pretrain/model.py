"""The model of the embedded base: a small Mistral with tied embeddings, initialised from a seed."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, MistralConfig, MistralForCausalLM, set_seed

from sekft.config.pretrain import ShapeConfig
from sekft.pretrain.tokenizer import BOS, EOS


def config(shape: ShapeConfig) -> dict[str, Any]:
    """The contents of config.json."""
    return {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.hidden // shape.heads,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": 1e-5,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "sliding_window": None,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }


def random_model(shape: ShapeConfig, seed: int, device: str) -> MistralForCausalLM:
    set_seed(seed)
    model = AutoModelForCausalLM.from_config(MistralConfig(**config(shape)), attn_implementation="sdpa")
    return model.to(torch.device(device))


def matrices(model: MistralForCausalLM) -> list[Parameter]:
    """The parameters that Muon trains; AdamW trains embeddings and norms."""
    return [param for name, param in model.named_parameters() if param.ndim == 2 and "embed" not in name and "lm_head" not in name]


def weighted_loss(model: MistralForCausalLM, ids: Tensor, weights: Tensor) -> Tensor:
    """The sum over tokens of weight x negative log-likelihood in nats. ids, weights: (rows, length)."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[:, :-1])
    losses = cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
    return torch.dot(losses, weights[:, 1:].flatten())

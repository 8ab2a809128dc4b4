"""Weights and config of a GGUF file: a conversion has the logits of the model that was written, or the file is refused in one line."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from sekft.errors import ModelError
from sekft.model.gguf.convert import converted
from sekft.model.gguf.families import FAMILIES
from sekft.model.gguf.weights import to_bfloat16
from tests.model.gguf.writing import add_small_tokenizer, add_values, finish, tensors, writer

SHAPE = {
    "vocab_size": 260, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 6, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128, "tie_word_embeddings": False,
}  # fmt: skip
IDS = torch.tensor([list(range(3, 43))])


def small(architecture: str, **changes) -> PreTrainedModel:
    """A small random model whose norms are no identities."""
    torch.manual_seed(0)
    family = FAMILIES[architecture]
    if architecture.startswith("gemma"):
        changes = {"tie_word_embeddings": True} | changes
    if architecture in ("gemma2", "gemma3"):
        changes = {"sliding_window": 16, "query_pre_attn_scalar": 16} | changes
    shape = AutoConfig.for_model(family.model_type, **SHAPE | {"pad_token_id": None} | changes)
    model = AutoModelForCausalLM.from_config(shape, dtype=torch.float32).eval()
    for name, weight in model.named_parameters():
        weight.data += 0.2 * torch.randn_like(weight) if "norm" in name or "bias" in name else 0
    return model


def write(folder: Path, architecture: str, model: PreTrainedModel, kind: gguf.GGMLQuantizationType | None = None, **values) -> Path:
    """values: further keys below the architecture's name. kind: of the matrices; None: float32."""
    file = folder / f"{architecture}.gguf"
    made = writer(file, architecture)
    add_values(made, model)
    add_small_tokenizer(made)
    if architecture in ("gemma2", "gemma3"):
        made.add_sliding_window(16)
    for key, value in values.items():
        add = {int: made.add_uint32, float: made.add_float32, str: made.add_string}[type(value)]
        add(f"{architecture}.{key.replace('__', '.')}", value)
    for name, weight in tensors(model, architecture, FAMILIES[architecture].norm_offset, bool(FAMILIES[architecture].interleaved)).items():
        packed = kind is not None and weight.ndim == 2
        made.add_tensor(name, gguf.quantize(weight, kind) if packed else weight, raw_dtype=kind if packed else None)
    finish(made)
    return file


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


@pytest.mark.parametrize("architecture", sorted(FAMILIES))
def test_a_conversion_gives_the_logits_of_the_model_that_was_written(tmp_path: Path, architecture: str) -> None:
    model = small(architecture)
    folder = converted(write(tmp_path, architecture, model), weights=True, cache=tmp_path)
    loaded, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not any(info.values()), info
    assert type(loaded).__name__ == FAMILIES[architecture].class_name
    torch.testing.assert_close(logits(loaded), logits(model), atol=1e-5 if FAMILIES[architecture].norm_offset else 0.0, rtol=0.0)


def test_the_rope_factors_of_llama_3_are_understood(tmp_path: Path) -> None:
    scaling = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    scaling |= {"original_max_position_embeddings": 8192, "rope_theta": 500000.0}
    model = small("llama", rope_parameters=scaling, max_position_embeddings=131072)
    file = tmp_path / "llama.gguf"
    made = writer(file, "llama")
    add_values(made, model)
    add_small_tokenizer(made)
    plain = 1 / 500000.0 ** (torch.arange(0, 16, 2) / 16)
    made.add_tensor("rope_freqs.weight", (plain / model.model.rotary_emb.inv_freq).float().numpy())
    for name, weight in tensors(model, "llama", interleaved=True).items():
        made.add_tensor(name, weight)
    finish(made)
    loaded = AutoModelForCausalLM.from_pretrained(converted(file, weights=True, cache=tmp_path), dtype=torch.float32)
    assert loaded.config.rope_parameters == scaling
    torch.testing.assert_close(logits(loaded), logits(model), atol=0.0, rtol=0.0)


@pytest.mark.parametrize("kind", ["linear", "yarn"])
def test_a_longer_context_is_kept(tmp_path: Path, kind: str) -> None:
    scaling = {"rope_type": kind, "factor": 4.0, "rope_theta": 10000.0}
    values = {"rope__scaling__type": kind, "rope__scaling__factor": 4.0}
    if kind == "yarn":
        scaling["original_max_position_embeddings"] = values["rope__scaling__original_context_length"] = 32
    model = small("qwen2", rope_parameters=scaling)
    folder = converted(write(tmp_path, "qwen2", model, **values), weights=True, cache=tmp_path)
    torch.testing.assert_close(logits(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)), logits(model), atol=0.0, rtol=0.0)


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q5_1", "Q4_0"])
def test_quantised_weights_are_the_values_that_the_gguf_package_reads(tmp_path: Path, kind: str) -> None:
    from safetensors.numpy import load_file

    number = gguf.GGMLQuantizationType[kind]
    model = small("qwen3")
    folder = converted(write(tmp_path, "qwen3", model, number), weights=True, cache=tmp_path)
    weight = model.model.layers[1].mlp.up_proj.weight.detach().numpy()
    expected = gguf.dequantize(gguf.quantize(weight, number), number)
    np.testing.assert_array_equal(load_file(folder / "model.safetensors")["model.layers.1.mlp.up_proj.weight"], expected)


def test_values_are_rounded_to_bfloat16_as_torch_rounds_them() -> None:
    values = torch.cat([torch.randn(4096), torch.tensor([0.0, -0.0, 1.00390625, 1.01171875, 1e-40, 3e38])])
    assert to_bfloat16(values.numpy()) == values.to(torch.bfloat16).view(torch.int16).numpy().tobytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attention__scale": 0.5}, "found llama.attention.scale=0.5, which is not converted"),
        ({"expert_count": 8}, "found llama.expert_count=8, which is not converted"),
        ({"attention__sliding_window": 16}, "found llama.attention.sliding_window=16, allowed: none"),
        ({"rope__scaling__type": "longrope"}, "found llama.rope.scaling.type=longrope, allowed: none, linear, yarn"),
    ],
)
def test_a_value_that_transformers_would_ignore_is_refused(tmp_path: Path, change: dict, said: str) -> None:
    file = write(tmp_path, "llama", small("llama"), **change)
    refused_in_one_line(file, said)


def test_missing_and_left_over_tensors_and_cut_files_are_refused(tmp_path: Path) -> None:
    whole = write(tmp_path, "qwen2", small("qwen2"))
    lacking = small("qwen2", num_hidden_layers=5)
    lacking.config.num_hidden_layers = 6
    refused_in_one_line(write(tmp_path / "..", "qwen2", lacking), "lacks the tensor blk.5.")
    more = small("qwen2")
    more.config.num_hidden_layers = 5
    made = writer(tmp_path / "more.gguf", "qwen2")
    add_values(made, more)
    add_small_tokenizer(made)
    more.config.num_hidden_layers = 6
    for name, weight in tensors(more, "qwen2").items():
        made.add_tensor(name, weight)
    finish(made)
    refused_in_one_line(tmp_path / "more.gguf", "found the tensor blk.5.")
    data = whole.read_bytes()
    for size, said in ((len(data) - 9, "cut off"), (2000, "cut off or damaged"), (30, "cut off or damaged"), (0, "an empty file")):
        (tmp_path / "cut.gguf").write_bytes(data[:size])
        refused_in_one_line(tmp_path / "cut.gguf", said)


def test_other_architectures_and_types_are_refused(tmp_path: Path) -> None:
    made = writer(tmp_path / "mamba.gguf", "mamba")
    add_small_tokenizer(made)
    finish(made)
    refused_in_one_line(tmp_path / "mamba.gguf", "found the architecture mamba, allowed in a GGUF file: gemma, gemma2, gemma3, llama,")
    file = write(tmp_path, "llama", small("llama"))
    data = bytearray(file.read_bytes())
    at = data.index(b"blk.0.ffn_up.weight") + len("blk.0.ffn_up.weight") + 4 + 16
    for kind in (31, 999):  # a type that was removed, one that never was
        data[at : at + 4] = kind.to_bytes(4, "little")
        file.write_bytes(data)
        refused_in_one_line(file, f"blk.0.ffn_up.weight is of ggml type {kind}, which the package gguf cannot read")


def refused_in_one_line(file: Path, said: str) -> None:
    with pytest.raises(ModelError) as refused:
        converted(file, weights=True, cache=file.parent)
    assert said in str(refused.value) and str(file) in str(refused.value) and "\n" not in str(refused.value)
    assert not [folder for folder in (file.parent / "bases").iterdir() if folder.name.startswith(f"{file.stem}-")]

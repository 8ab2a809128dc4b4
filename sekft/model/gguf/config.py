"""config.json and generation_config.json of a base from the values of a GGUF file. No torch."""

from math import pi
from typing import Any

from sekft.errors import ModelError
from sekft.model.gguf.families import FAMILIES, Family
from sekft.model.gguf.header import Header

TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>")  # control tokens that llama.cpp too stops at
CONTROL = 3  # of tokenizer.ggml.token_type
READ = {  # keys below the architecture's name that are read, or say nothing that the rest does not say
    "context_length", "block_count", "embedding_length", "feed_forward_length", "vocab_size", "tensor_data_layout",
    "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
    "attention.layer_norm_rms_epsilon", "attention.sliding_window", "attn_logit_softcapping", "final_logit_softcapping",
    "rope.dimension_count", "rope.freq_base", "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
}  # fmt: skip
WINDOWED = ("gemma2", "gemma3")  # architectures whose sliding window is read


def model_config(header: Header) -> dict[str, Any]:
    """config.json without the dtype. Raises ModelError for an architecture, or a value, that is not converted."""
    name = header.architecture
    if name not in FAMILIES:
        raise ModelError(
            f"{header.file}: found the architecture {name}, allowed in a GGUF file: {', '.join(sorted(FAMILIES))}; "
            "give the folder or hub id of the original weights instead"
        )
    family = FAMILIES[name]
    for key, found in header.values.items():
        if key.startswith(f"{name}.") and found and key.removeprefix(f"{name}.") not in READ:
            raise ModelError(f"{header.file}: found {key}={str(found)[:40]}, which is not converted; give the original weights instead")
    hidden, heads, context = (_number(header, key) for key in ("embedding_length", "attention.head_count", "context_length"))
    dimension = _number(header, "attention.key_length", _number(header, "rope.dimension_count", hidden // heads))
    _require_plain(header, dimension, context)
    embedding = header.tensors.get("token_embd.weight")
    if embedding is None:
        raise ModelError(f"{header.file}: lacks the tensor token_embd.weight; a file without a language model, or one part of several")
    return {
        "architectures": [family.class_name],
        "model_type": family.model_type,
        "vocab_size": embedding.shape[0],
        "hidden_size": hidden,
        "intermediate_size": _number(header, "feed_forward_length"),
        "num_hidden_layers": _number(header, "block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": _number(header, "attention.head_count_kv", heads),
        "head_dim": dimension,
        "max_position_embeddings": context,
        "rms_norm_eps": float(f"{_number(header, 'attention.layer_norm_rms_epsilon'):.6g}"),  # 9.999999747e-06: 1e-05 in float32
        "rope_parameters": _rope(header, dimension),
        "tie_word_embeddings": "output.weight" not in header.tensors,
        **_gemma(header, family, dimension),
        **token_ids(header),
    }


def generation_config(header: Header) -> dict[str, Any]:
    return token_ids(header)


def token_ids(header: Header) -> dict[str, Any]:
    """bos, eos and padding, None where the file does not say. eos: every token that ends a generation, one id or a list."""
    tokens, kinds = header.of_tokenizer("tokens") or [], header.of_tokenizer("token_type") or []
    control = {text: index for index, (text, kind) in enumerate(zip(tokens, kinds, strict=False)) if kind == CONTROL}
    stops = [header.of_tokenizer(f"{name}_token_id") for name in ("eos", "eot", "eom")] + [control.get(text) for text in TURN_ENDS]
    ends = list(dict.fromkeys(stop for stop in stops if stop is not None))
    eos = ends[0] if len(ends) == 1 else ends or None
    return {
        "bos_token_id": header.of_tokenizer("bos_token_id"),
        "eos_token_id": eos,
        "pad_token_id": header.of_tokenizer("padding_token_id"),
    }


def _number(header: Header, key: str, default: Any = None) -> Any:
    found = header.values.get(f"{header.architecture}.{key}", default)
    if not isinstance(found, int | float):
        said = "lacks" if found is None else f"found {str(found)[:40]} as"
        raise ModelError(f"{header.file}: {said} {header.architecture}.{key}, allowed: one number; fetch another conversion of this model")
    return found


def _require_plain(header: Header, dimension: int, context: int) -> None:
    """Raise ModelError for values that transformers has no field for."""
    name = header.architecture
    for key, allowed in (("attention.value_length", dimension), ("rope.dimension_count", dimension)):
        if (found := _number(header, key, allowed)) != allowed:
            raise ModelError(f"{header.file}: found {name}.{key}={found}, allowed: {allowed}, the size of a head")
    window = _number(header, "attention.sliding_window", context)
    if name not in WINDOWED and 0 < window < context:
        raise ModelError(f"{header.file}: found {name}.attention.sliding_window={window}, allowed: none; give the original weights instead")


def _rope(header: Header, dimension: int) -> dict[str, Any]:
    """rope_parameters. Llama 3.1 to 3.3 scale them in a way that the file holds as a tensor of factors."""
    theta = float(_number(header, "rope.freq_base", 10000.0))
    kind = header.values.get(f"{header.architecture}.rope.scaling.type", "none")
    if kind in ("linear", "yarn"):
        scaling = {"rope_type": kind, "factor": float(_number(header, "rope.scaling.factor"))}
        if kind == "yarn":
            scaling["original_max_position_embeddings"] = _number(header, "rope.scaling.original_context_length")
    elif kind == "none" and "rope_freqs.weight" in header.tensors:
        scaling = _llama3_scaling(header, dimension, theta)
    elif kind == "none":
        scaling = {"rope_type": "default"}
    else:
        raise ModelError(f"{header.file}: found {header.architecture}.rope.scaling.type={kind}, allowed: none, linear, yarn")
    rope = {"rope_theta": theta, **scaling}
    if header.architecture == "gemma3":
        return {"full_attention": rope, "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}}
    return rope


def _llama3_scaling(header: Header, dimension: int, theta: float) -> dict[str, Any]:
    """The settings whose factors are those in rope_freqs.weight; all models of the family have the same but for `factor`."""
    from sekft.model.gguf.weights import dequantised

    found = dequantised(header, "rope_freqs.weight").tolist()
    low, high, context, factor = 1.0, 4.0, 8192, float(max(found))
    expected = []
    for index in range(0, dimension, 2):
        length = 2 * pi * theta ** (index / dimension)
        smooth = min(max((context / length - low) / (high - low), 0.0), 1.0)
        expected.append(1 / ((1 - smooth) / factor + smooth))
    if len(found) != len(expected) or any(abs(one - other) > 1e-3 * other for one, other in zip(found, expected, strict=True)):
        raise ModelError(f"{header.file}: the factors in rope_freqs.weight are not those of Llama 3; give the original weights instead")
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": context,
    }


def _gemma(header: Header, family: Family, dimension: int) -> dict[str, Any]:
    """What Gemma has besides. Attention is scaled by the size of a head, in the 27B models by another number."""
    if header.architecture not in WINDOWED:
        return {}
    hidden, heads, layers = (_number(header, key) for key in ("embedding_length", "attention.head_count", "block_count"))
    largest = (header.architecture, layers) in (("gemma2", 46), ("gemma3", 62))
    extra = {"query_pre_attn_scalar": hidden // heads if largest else dimension}
    extra["sliding_window"] = _number(header, "attention.sliding_window", 4096)
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        if (cap := header.values.get(f"{header.architecture}.{key}")) is not None:
            extra[key] = cap
    return extra

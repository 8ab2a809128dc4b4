"""config.json and generation_config.json of a base from the values of a GGUF file. No torch."""

from typing import Any

from sekft.errors import ModelError
from sekft.model.gguf.header import Header

CLASSES = {  # general.architecture -> model_type and class of transformers
    "llama": ("llama", "LlamaForCausalLM"),
    "qwen2": ("qwen2", "Qwen2ForCausalLM"),
    "qwen3": ("qwen3", "Qwen3ForCausalLM"),
}
TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>")  # control tokens that stop a generation in llama.cpp


def model_config(header: Header) -> dict[str, Any]:
    """config.json without the dtype. Raises ModelError for an architecture, or a value, that is not converted."""
    if header.architecture not in CLASSES:
        raise ModelError(
            f"{header.file}: found the architecture {header.architecture}, allowed in a GGUF file: {', '.join(sorted(CLASSES))};"
            " give the folder or hub id of the original weights instead"
        )

    def value(key: str, default: Any = None) -> Any:
        found = header.values.get(f"{header.architecture}.{key}", default)
        if found is None:
            raise ModelError(f"{header.file}: lacks {header.architecture}.{key}; fetch another conversion of this model")
        return found

    model_type, name = CLASSES[header.architecture]
    hidden, heads = value("embedding_length"), value("attention.head_count")
    head_dim = value("attention.key_length", value("rope.dimension_count", hidden // heads))
    return {
        "architectures": [name],
        "model_type": model_type,
        "vocab_size": header.tensors["token_embd.weight"].shape[0],
        "hidden_size": hidden,
        "intermediate_size": value("feed_forward_length"),
        "num_hidden_layers": value("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": value("attention.head_count_kv", heads),
        "head_dim": head_dim,
        "max_position_embeddings": value("context_length"),
        "rms_norm_eps": round(value("attention.layer_norm_rms_epsilon"), 12),
        "rope_parameters": {"rope_theta": value("rope.freq_base", 10000.0), "rope_type": "default"},
        "tie_word_embeddings": "output.weight" not in header.tensors,
    } | token_ids(header)


def token_ids(header: Header) -> dict[str, Any]:
    """bos, eos and padding; eos: every token that ends a generation, one id or a list."""
    tokens, kinds = header.of_tokenizer("tokens"), header.of_tokenizer("token_type")
    stops = [header.of_tokenizer(f"{name}_token_id") for name in ("eos", "eot", "eom")]
    stops += [tokens.index(text) for text in TURN_ENDS if kinds and text in tokens and kinds[tokens.index(text)] == 3]
    stops = list(dict.fromkeys(stop for stop in stops if stop is not None))
    found = {"bos_token_id": header.of_tokenizer("bos_token_id"), "eos_token_id": stops[0] if len(stops) == 1 else stops or None}
    found["pad_token_id"] = header.of_tokenizer("padding_token_id")
    return {name: token for name, token in found.items() if token is not None}


def generation_config(header: Header) -> dict[str, Any]:
    return token_ids(header)

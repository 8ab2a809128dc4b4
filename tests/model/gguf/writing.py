"""Small GGUF files as llama.cpp's conversion writes them, with the names of the gguf package."""

from pathlib import Path

import gguf
import numpy as np
from transformers import PreTrainedModel

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"


def byte_letters() -> list[str]:
    """The 256 letters of a byte-level vocabulary in the order of their code points."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def writer(file: Path, architecture: str) -> gguf.GGUFWriter:
    return gguf.GGUFWriter(file, architecture)


def finish(made: gguf.GGUFWriter) -> None:
    made.write_header_to_file()
    made.write_kv_data_to_file()
    made.write_tensors_to_file()
    made.close()


def add_small_tokenizer(made: gguf.GGUFWriter, pre: str = "gpt-2") -> None:
    """A byte-level tokenizer of 256 letters, three control tokens and ChatML."""
    made.add_tokenizer_model("gpt2")
    made.add_tokenizer_pre(pre)
    made.add_token_list([*byte_letters(), "<|endoftext|>", "<|im_start|>", "<|im_end|>", "ab"])
    made.add_token_types([NORMAL] * 256 + [CONTROL] * 3 + [NORMAL])
    made.add_token_merges(["a b"])
    made.add_bos_token_id(257)
    made.add_eos_token_id(258)
    made.add_chat_template(CHATML)


def add_values(made: gguf.GGUFWriter, model: PreTrainedModel) -> None:
    shape = model.config
    made.add_block_count(shape.num_hidden_layers)
    made.add_context_length(shape.max_position_embeddings)
    made.add_embedding_length(shape.hidden_size)
    made.add_feed_forward_length(shape.intermediate_size)
    made.add_head_count(shape.num_attention_heads)
    made.add_head_count_kv(shape.num_key_value_heads)
    made.add_key_length(shape.head_dim)
    made.add_value_length(shape.head_dim)
    made.add_layer_norm_rms_eps(shape.rms_norm_eps)
    rope = shape.rope_parameters
    made.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])


def tensors(model: PreTrainedModel, architecture: str, offset: float = 0.0, interleaved: bool = False) -> dict[str, np.ndarray]:
    """The weights under llama.cpp's names. offset: added to norms. interleaved: queries and keys permuted as for llama."""
    number = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    names = gguf.get_tensor_name_map(number, model.config.num_hidden_layers)
    found = {}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        values = weight.float().numpy()
        if interleaved and ("q_proj" in name or "k_proj" in name):
            heads = model.config.num_attention_heads if "q_proj" in name else model.config.num_key_value_heads
            values = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
        stem, _, suffix = name.rpartition(".")
        found[f"{names.get_name(stem)}.{suffix}"] = values + (offset if "norm" in name else 0)
    return found

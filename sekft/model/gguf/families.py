"""The architectures of GGUF files that are converted: what transformers calls them, and what llama.cpp's conversion changed. No torch.

Each was checked by writing a small model as GGUF and comparing the logits of its conversion (tests/model/gguf/test_weights.py).
"""

from dataclasses import dataclass, field

ATTENTION = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj"}
MLP = {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
PRE_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
POST_NORMS = {"post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}
HEAD_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
LLAMA = ATTENTION | MLP | PRE_NORMS
GEMMA2 = LLAMA | POST_NORMS | {"ffn_norm": "pre_feedforward_layernorm"}


@dataclass(frozen=True)
class Family:
    """One architecture. layer: the weights of a layer, llama.cpp's name -> the name in transformers."""

    model_type: str
    class_name: str
    layer: dict[str, str] = field(default_factory=lambda: LLAMA)
    biases: tuple[str, ...] = ()  # weights of a layer that have a bias
    interleaved: tuple[str, ...] = ()  # weights whose two halves of every head are interleaved row by row
    norm_offset: float = 0.0  # added to every norm


FAMILIES = {  # by general.architecture
    "llama": Family("llama", "LlamaForCausalLM", interleaved=("attn_q", "attn_k")),
    "smollm3": Family("smollm3", "SmolLM3ForCausalLM", interleaved=("attn_q", "attn_k")),
    "qwen2": Family("qwen2", "Qwen2ForCausalLM", biases=("attn_q", "attn_k", "attn_v")),
    "qwen3": Family("qwen3", "Qwen3ForCausalLM", LLAMA | HEAD_NORMS),
    "olmo2": Family("olmo2", "Olmo2ForCausalLM", ATTENTION | MLP | POST_NORMS | HEAD_NORMS),
    "gemma": Family("gemma", "GemmaForCausalLM", norm_offset=1.0),
    "gemma2": Family("gemma2", "Gemma2ForCausalLM", GEMMA2, norm_offset=1.0),
    "gemma3": Family("gemma3_text", "Gemma3ForCausalLM", GEMMA2 | HEAD_NORMS, norm_offset=1.0),
}
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}

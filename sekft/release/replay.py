"""Replay the recorded episodes of a release, token for token. Needs torch, transformers, peft and the base, but not sekft.

python replay.py BASE      in the folder of the release; BASE: a folder, or a model id of the Hugging Face hub
"""

import json
import sys
from pathlib import Path
from typing import Any

RELEASE = Path(__file__).resolve().parent
RECORDED = "replay.json"


def main(base: str, folder: Path = RELEASE) -> int:
    """Print every reply that differs from its record; returns 0 if none does."""
    recorded = json.loads((folder / RECORDED).read_text(encoding="utf-8"))
    model, tokenizer = load(base, folder / "adapter", recorded["load_4bit"], recorded.get("dtype"))
    replies, differing = 0, []
    for episode in recorded["episodes"]:
        turns = [at for at, message in enumerate(episode["messages"]) if message["role"] == "assistant"]
        for at, expected in zip(turns, episode["replies"], strict=True):
            replies += 1
            if (ids := reply(model, tokenizer, episode["messages"][:at], len(expected))) != expected:
                differing.append(f"{episode['id']}, message {at}: {tokenizer.decode(ids)!r}, recorded {tokenizer.decode(expected)!r}")
    print(*differing, sep="\n", end="\n" if differing else "")
    print(f"{len(recorded['episodes'])} recorded episodes, {replies} replies, {replies - len(differing)} of them token for token")
    return 1 if differing or not replies else 0


def load(base: str, adapter: Path, load_4bit: bool, dtype: str | None) -> tuple[Any, Any]:
    """(model, tokenizer): the base with the adapter, or all weights if the folder holds them; the tokenizer has the trained template.

    dtype: of the base's weights when the replies were recorded; None: bfloat16 on a GPU, else float32.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    gpu = torch.cuda.is_available()
    options: dict[str, Any] = {
        "dtype": getattr(torch, dtype or ("bfloat16" if gpu else "float32")),
        "device_map": {"": "cuda" if gpu else "cpu"},
    }
    options |= {"use_safetensors": True, "trust_remote_code": False, "attn_implementation": "sdpa"}
    if load_4bit:
        nf4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": options["dtype"], "bnb_4bit_use_double_quant": True}
        options["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, **nf4)
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    if not (adapter / "adapter_config.json").exists():
        return AutoModelForCausalLM.from_pretrained(adapter, **options).eval(), tokenizer
    from peft import PeftModel

    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, **options), str(adapter)).eval(), tokenizer


def reply(model: Any, tokenizer: Any, messages: list[dict[str, str]], length: int) -> list[int]:
    """The token ids of the greedy reply to the messages, at most `length` of them."""
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True).to(model.device)
    out = model.generate(**prompt, max_new_tokens=length, do_sample=False, pad_token_id=tokenizer.eos_token_id)
    return [int(token) for token in out[0, prompt["input_ids"].shape[1] :]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else (__doc__ or ""))

"""Do the recorded episodes come out again, token for token? Goes with every release: needs torch, transformers, peft and the base, no sekft.

python replay.py BASE      in the release's folder; BASE: a folder, or a hub id
"""

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EPISODES = "replay.json"


def main(base: str, folder: Path = HERE) -> int:
    told = json.loads((folder / EPISODES).read_text(encoding="utf-8"))
    model, tokenizer = load(base, folder / "adapter", told["load_4bit"])
    replies, differing = 0, []
    for episode in told["episodes"]:
        turns = [at for at, message in enumerate(episode["messages"]) if message["role"] == "assistant"]
        for at, expected in zip(turns, episode["replies"], strict=True):
            replies += 1
            if (found := reply(model, tokenizer, episode["messages"][:at], len(expected))) != expected:
                differing.append(f"{episode['id']}, message {at}: {tokenizer.decode(found)!r}, recorded {tokenizer.decode(expected)!r}")
    print(*differing, sep="\n", end="\n" if differing else "")
    print(f"{len(told['lives'])} recorded episodes, {replies} replies, {replies - len(differing)} of them token for token")
    return 1 if differing or not replies else 0


def load(base: str, adapter: Path, load_4bit: bool) -> tuple[Any, Any]:
    """The model with the adapter, or the weights that are there instead of one; the tokenizer with the template of the training."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    there = torch.cuda.is_available()
    given: dict[str, Any] = {"dtype": torch.bfloat16 if there else torch.float32, "device_map": {"": "cuda" if there else "cpu"}}
    given |= {"use_safetensors": True, "trust_remote_code": False, "attn_implementation": "sdpa"}
    if load_4bit:
        nf4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": given["dtype"], "bnb_4bit_use_double_quant": True}
        given["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, **nf4)
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    if not (adapter / "adapter_config.json").exists():
        return AutoModelForCausalLM.from_pretrained(adapter, **given).eval(), tokenizer
    from peft import PeftModel

    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, **given), str(adapter)).eval(), tokenizer


def reply(model: Any, tokenizer: Any, messages: list[dict[str, str]], most: int) -> list[int]:
    """The greedy reply, as many tokens as were recorded."""
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True).to(model.device)
    out = model.generate(**asked, max_new_tokens=most, do_sample=False, pad_token_id=tokenizer.eos_token_id)
    return [int(token) for token in out[0, asked["input_ids"].shape[1] :]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else (__doc__ or ""))

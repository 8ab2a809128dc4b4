"""How well a base does what it is asked, without running: replies that are right to the last token, given all before them."""

from collections.abc import Sequence

import torch
from transformers import MistralForCausalLM

from sekft.pretrain.rows import Tokens


@torch.no_grad()
def probe(model: MistralForCausalLM, conversations: Sequence[Tokens]) -> dict[str, float]:
    """right: the share of the replies that were asked for whose every token, the stop token too, is the likeliest one."""
    right = asked = 0
    for one in conversations:
        ids = torch.tensor([one.ids], device=model.device)
        hits = model(input_ids=ids, use_cache=False).logits[0, :-1].argmax(-1) == ids[0, 1:]
        for start, end in one.wanted:
            asked += 1
            right += bool(hits[start - 1 : end - 1].all())
    return {"right": right / max(1, asked)}

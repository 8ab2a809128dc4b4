"""The model as an operator: a conversation in, the next reply out."""

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel

from sekft.config import EvalConfig
from sekft.model.base import Base
from sekft.rendering.messages import Message, Reply
from sekft.rendering.render import prompt_ids


class ModelOperator:
    """Base, or base with adapter, typing at a prompt. One reply is generated at a time, whichever life asks.

    name: what trajectories call it. Greedy unless eval.temperature > 0; then seeded by life and turn, so that a life
    repeats whatever its neighbours do.
    """

    def __init__(self, name: str, base: Base, model: PeftModel | None, limits: EvalConfig, seed: int) -> None:
        self.name = name
        self._base = base
        self._model: Any = model if model is not None else base.model
        self._limits = limits
        self._seed = seed
        self._turn = threading.Lock()
        self._room = min(limits.max_life_tokens, getattr(base.model.config, "max_position_embeddings", limits.max_life_tokens))

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        prompt = prompt_ids(messages, self._base.tokenizer)
        room = min(self._limits.max_reply_tokens, self._room - len(prompt))
        if room < 1:
            return Reply("", full=True)
        with self._turn:
            return Reply(self._text(prompt, self._generate(prompt, room, f"{life_id}/{len(messages)}")))

    @torch.no_grad()
    def _generate(self, prompt: list[int], room: int, draw: str) -> list[int]:
        ids = torch.tensor([prompt], device=self._base.device)
        sampling: dict[str, Any] = {"do_sample": False, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
        if self._limits.temperature > 0:
            sampling |= {"do_sample": True, "temperature": self._limits.temperature, "top_p": 1.0, "top_k": 0}
        stops = sorted(self._base.tokenizer.stop_ids)
        with torch.random.fork_rng(enabled=self._limits.temperature > 0):  # an exam in between must not change the training
            if self._limits.temperature > 0:
                torch.manual_seed(_seed_of(self._seed, draw))
            out = self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=room,
                eos_token_id=stops,
                pad_token_id=stops[0],
                **sampling,
            )
        return out[0, len(prompt) :].tolist()

    def _text(self, prompt: list[int], reply: list[int]) -> str:
        """What was typed: decoded after its prompt, since a token's text depends on what stands before it."""
        tokenizer = self._base.tokenizer
        reply = [token for token in reply if token not in tokenizer.control]
        anchor = prompt[-1:]
        text = tokenizer.decode([*anchor, *reply], skip_control=False)[len(tokenizer.decode(anchor, skip_control=False)) :]
        return text.removeprefix(tokenizer.separator)


def _seed_of(seed: int, draw: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{draw}".encode()).digest()[:8], "big") >> 1

"""A prompt in, the next reply out; and the model as an agent of episodes."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from sekft.config import EvalConfig
from sekft.model.base import Base
from sekft.model.reply import Unfolding, text_of
from sekft.rendering.messages import Message, Reply
from sekft.rendering.render import prompt_ids


@dataclass(frozen=True)
class Draw:
    """How one reply is drawn: greedy at temperature 0, else repeatable by its seed."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    top_k: int = 0  # only the k likeliest tokens; 0: all


@dataclass(frozen=True)
class Completion:
    text: str
    tokens: int  # generated, the stop token included
    stopped: bool  # by its stop token or a stop string; else its tokens ran out, or its listener left


Ended = Callable[[list[int]], bool]  # told the ids so far after every token; True ends the reply


class Speak(Protocol):
    def __call__(self, episode: str, prompt: list[int], draw: Draw, ended: Ended | None = None) -> list[int]:
        """The ids of one reply, its stop token included. episode: whose past may be known."""


class ModelAgent:
    """Base, or base with adapter, typing at a prompt; sekft.model.agents makes them.

    name: what trajectories call it. Greedy unless eval.temperature > 0; then seeded by episode and turn, so that an episode
    repeats whatever its neighbours do.
    """

    def __init__(self, name: str, base: Base, speak: Speak, config: EvalConfig, seed: int) -> None:
        self.name = name
        self._base, self._speak, self._config, self._seed = base, speak, config, seed
        self._context = context_of(base) or config.max_episode_tokens

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        prompt = prompt_ids(messages, self._base.tokenizer)
        left = min(self._config.max_episode_tokens, self._context) - len(prompt)
        if left < 1:
            short = self._context < self._config.max_episode_tokens
            return Reply("", full=True, reason=f"the base's own context: {self._context}" if short else "")
        room = min(self._config.max_reply_tokens, left)
        draw = Draw(room, self._config.temperature, seed=_seed_of(self._seed, f"{episode_id}/{len(messages)}"))
        reply = self._speak(episode_id, prompt, draw)
        cut = len(reply) == self._config.max_reply_tokens and reply[-1] not in self._base.tokenizer.stop_ids
        return Reply(text_of(prompt, reply, self._base.tokenizer), cut=cut)


def complete(
    base: Base, speak: Speak, episode: str, prompt: list[int], draw: Draw, stop: Sequence[str], heard: Callable[[str], bool]
) -> Completion:
    """A reply told while it is typed.

    heard: gets every piece of text once it is settled, after each token, also if that settled nothing; True from it ends the reply.
    """
    unfolding = Unfolding(prompt, base.tokenizer, stop)

    def ended(reply: list[int]) -> bool:
        piece, stopped = unfolding.piece(reply)
        return heard(piece) or stopped

    reply = speak(episode, prompt, draw, ended)
    piece, text, stopped = unfolding.rest(reply)
    heard(piece)
    return Completion(text, len(reply), stopped or (bool(reply) and reply[-1] in base.tokenizer.stop_ids))


@torch.no_grad()
def generate(base: Base, model: Any, prompt: list[int], draw: Draw, ended: Ended | None = None) -> list[int]:
    """The ids of one reply, its stop token included; the whole prompt is read anew."""
    ids = torch.tensor([prompt], device=base.device)
    sampling: dict[str, Any] = {"do_sample": False, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
    if draw.temperature > 0:
        sampling |= {"do_sample": True, "temperature": draw.temperature, "top_p": draw.top_p, "top_k": draw.top_k}
    if ended is not None:
        sampling["stopping_criteria"] = [
            lambda so_far, scores, **_: torch.tensor([ended(so_far[0, len(prompt) :].tolist())], device=so_far.device)
        ]
    stops = sorted(base.tokenizer.stop_ids)
    with torch.random.fork_rng(enabled=draw.temperature > 0):  # an evaluation in between must not change the training
        if draw.temperature > 0:
            torch.manual_seed(draw.seed)
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=draw.max_tokens,
            eos_token_id=stops,
            pad_token_id=stops[0],
            **sampling,
        )
    return out[0, len(prompt) :].tolist()


def context_of(base: Base) -> int | None:
    """Tokens of prompt and reply together that the base was made for; None where its config does not say."""
    return getattr(base.model.config, "max_position_embeddings", None)


def _seed_of(seed: int, draw: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{draw}".encode()).digest()[:8], "big") >> 1

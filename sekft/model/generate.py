"""Generation of one reply from one prompt, and the model as an agent of episodes."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Protocol

import torch

from sekft.config import EvalConfig
from sekft.model.base import Base
from sekft.model.reply import ReplyStream, decode_reply
from sekft.rendering.messages import Message, Reply
from sekft.rendering.render import prompt_ids


@dataclass(frozen=True)
class SamplingParameters:
    """How the tokens of one reply are chosen: greedily at temperature 0, else sampled repeatably from the seed."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    top_k: int = 0  # sample from the k likeliest tokens; 0: from all


@dataclass(frozen=True)
class Completion:
    text: str
    tokens: int  # generated, including the stop token
    stopped: bool  # by a stop token or stop string; False: max_tokens was reached, or on_text ended the reply


ShouldStop = Callable[[list[int]], bool]  # called after every token with the ids generated so far; True ends the reply
OnText = Callable[[str], bool]  # called after every token with the newly settled text, which may be empty; True ends the reply


class GenerateReply(Protocol):
    """A function that generates replies with one model."""

    def __call__(
        self, conversation: str, prompt: list[int], sampling: SamplingParameters, should_stop: ShouldStop | None = None
    ) -> list[int]:
        """Return the ids of one reply, including its stop token.

        conversation: a key; prompts of one conversation extend each other, so that what was read of it can be kept. Empty: keep nothing.
        """


class ModelAgent:
    """A base, with or without an adapter, as an agent of episodes; sekft.model.agents creates these.

    name: the agent's name in trajectories. The agent is greedy unless eval.temperature > 0. Sampling is seeded by episode and turn, so
    that an episode repeats whatever else is in its batch.
    """

    def __init__(self, name: str, base: Base, generate_reply: GenerateReply, config: EvalConfig, seed: int, cancelled: Event) -> None:
        """cancelled: the event that ends generate_reply; see sekft.model.generators."""
        self.name, self._cancelled = name, cancelled
        self._base, self._generate_reply, self._config, self._seed = base, generate_reply, config, seed
        self._context_tokens = context_tokens(base) or config.max_episode_tokens

    def cancel(self) -> None:
        self._cancelled.set()

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        prompt = prompt_ids(messages, self._base.tokenizer)
        left = min(self._config.max_episode_tokens, self._context_tokens) - len(prompt)
        if left < 1:
            short = self._context_tokens < self._config.max_episode_tokens
            return Reply("", full=True, reason=f"the base's own context: {self._context_tokens}" if short else "")
        max_tokens = min(self._config.max_reply_tokens, left)
        seed = _turn_seed(self._seed, f"{episode_id}/{len(messages)}")
        reply = self._generate_reply(episode_id, prompt, SamplingParameters(max_tokens, self._config.temperature, seed=seed))
        cut = len(reply) == self._config.max_reply_tokens and reply[-1] not in self._base.tokenizer.stop_ids
        return Reply(decode_reply(prompt, reply, self._base.tokenizer), cut=cut)


def complete(
    base: Base,
    generate_reply: GenerateReply,
    conversation: str,
    prompt: list[int],
    sampling: SamplingParameters,
    stop: Sequence[str],
    on_text: OnText,
) -> Completion:
    """Generate a reply and pass its text on while it is generated.

    stop: strings that end the reply; the text ends before the first of them. The pieces that on_text gets join to the text.
    """
    stream = ReplyStream(prompt, base.tokenizer, stop)

    def should_stop(reply: list[int]) -> bool:
        piece, stopped = stream.settled(reply)
        return on_text(piece) or stopped

    reply = generate_reply(conversation, prompt, sampling, should_stop)
    piece, text, stopped = stream.finish(reply)
    on_text(piece)
    return Completion(text, len(reply), stopped or (bool(reply) and reply[-1] in base.tokenizer.stop_ids))


@torch.no_grad()
def generate(base: Base, model: Any, prompt: list[int], sampling: SamplingParameters, should_stop: ShouldStop | None = None) -> list[int]:
    """Generate one reply with transformers, reading the whole prompt; return its ids, including the stop token."""
    ids = torch.tensor([prompt], device=base.device)
    options: dict[str, Any] = {"do_sample": False, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
    if sampling.temperature > 0:
        options |= {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
    if should_stop is not None:
        options["stopping_criteria"] = [
            lambda so_far, scores, **_: torch.tensor([should_stop(so_far[0, len(prompt) :].tolist())], device=so_far.device)
        ]
    stops = sorted(base.tokenizer.stop_ids)
    with torch.random.fork_rng(enabled=sampling.temperature > 0):  # an evaluation during training must not change the training
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=sampling.max_tokens,
            eos_token_id=stops,
            pad_token_id=stops[0],
            **options,
        )
    return out[0, len(prompt) :].tolist()


def context_tokens(base: Base) -> int | None:
    """The base's context length: tokens of prompt and reply together; None if its config does not state one."""
    return getattr(base.model.config, "max_position_embeddings", None)


def _turn_seed(seed: int, turn: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{turn}".encode()).digest()[:8], "big") >> 1

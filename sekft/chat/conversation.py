"""A conversation between a person and a model, in which every token is read only once."""

from dataclasses import replace

from sekft.errors import ModelError
from sekft.model.base import Base
from sekft.model.generate import Completion, GenerateReply, OnText, SamplingParameters, complete, context_tokens
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids


class Conversation:
    """messages: all turns so far, of the person and the model. The model reads the same ids as in training."""

    def __init__(self, base: Base, generate_reply: GenerateReply, sampling: SamplingParameters) -> None:
        self.messages: tuple[Message, ...] = ()
        self._base, self._generate_reply, self._sampling = base, generate_reply, sampling

    def send(self, text: str, on_text: OnText) -> Completion:
        """Add a turn of the person and return the model's reply. If on_text ends the reply, its text so far stays in the conversation.

        Raises ModelError if the context has no room for a reply; the conversation is then unchanged.
        """
        messages = (*self.messages, Message(role="user", content=text))
        prompt = prompt_ids(messages, self._base.tokenizer)
        context = context_tokens(self._base)
        max_tokens = self._sampling.max_tokens if context is None else min(self._sampling.max_tokens, context - len(prompt))
        if max_tokens < 1:
            raise ModelError(f"the conversation: found {len(prompt)} tokens, allowed: less than {context}, the base's context")
        sampling = replace(self._sampling, max_tokens=max_tokens, seed=self._sampling.seed + len(messages))
        completion = complete(self._base, self._generate_reply, "talk", prompt, sampling, (), on_text)
        self.messages = (*messages, Message(role="assistant", content=completion.text))
        return completion

"""A conversation with one model: every turn goes on where the last one ended, and what was read is kept."""

from collections.abc import Callable
from dataclasses import replace

from sekft.errors import ModelError
from sekft.model.base import Base
from sekft.model.generate import Completion, Draw, Speak, complete, context_of
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids


class Talk:
    """messages: all turns so far, the person's and the model's. The model is fed the ids it was trained on."""

    def __init__(self, base: Base, speak: Speak, draw: Draw) -> None:
        self.messages: tuple[Message, ...] = ()
        self._base, self._speak, self._draw = base, speak, draw

    def say(self, text: str, heard: Callable[[str], bool]) -> Completion:
        """The model's next turn, told in pieces; True from heard ends it there, and what was said stays said.

        Raises ModelError for a conversation that leaves the reply no room.
        """
        messages = (*self.messages, Message(role="user", content=text))
        prompt = prompt_ids(messages, self._base.tokenizer)
        context = context_of(self._base)
        room = self._draw.max_tokens if context is None else min(self._draw.max_tokens, context - len(prompt))
        if room < 1:
            raise ModelError(f"the conversation is {len(prompt)} tokens long, allowed: less than {context}, the base's own context")
        draw = replace(self._draw, max_tokens=room, seed=self._draw.seed + len(messages))
        done = complete(self._base, self._speak, "talk", prompt, draw, (), heard)
        self.messages = (*messages, Message(role="assistant", content=done.text))
        return done

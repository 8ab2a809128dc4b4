"""One base and the adapters on it, each asked for by its name; one reply at a time."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from peft import PeftModel

from sekft.model.base import Base
from sekft.model.generate import Completion, Draw, complete, context_of
from sekft.model.lora import loaded_all
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids


class NamedModels:
    """The base under `name`, and its adapters. Safe to call from several threads.

    names: the base first. context: tokens of prompt and reply together, None where the base does not say.
    """

    def __init__(self, name: str, base: Base, tuned: PeftModel | None, slots: Mapping[str, str]) -> None:
        self.names = (name, *slots)
        self.context = context_of(base)
        self._base = base
        self._tuned = tuned
        self._slots = slots  # name -> PEFT's name of it
        self._turn = threading.Lock()

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The ids that any of them is fed. Raises RenderError."""
        return prompt_ids(messages, self._base.tokenizer)

    def complete(
        self,
        name: str,
        prompt: list[int],
        heard: Callable[[str], bool],
        *,
        max_tokens: int,
        temperature: float,
        top_p: float,
        seed: int,
        stop: Sequence[str],
    ) -> Completion:
        """A reply of one of `names`, told in pieces; see sekft.model.generate.complete."""
        draw = Draw(max_tokens, temperature, top_p, seed)
        with self._turn:
            if heard(""):  # gone while it waited
                return Completion("", 0, stopped=False)
            if name not in self._slots or self._tuned is None:
                with self._tuned.disable_adapter() if self._tuned is not None else nullcontext():
                    return complete(self._base, self._base.model, prompt, draw, stop, heard)
            if self._tuned.active_adapter != self._slots[name]:
                self._tuned.set_adapter(self._slots[name], inference_mode=True)
            return complete(self._base, self._tuned, prompt, draw, stop, heard)


@contextmanager
def named(name: str, base: Base, adapters: Mapping[str, Path]) -> Iterator[NamedModels]:
    """adapters: name -> folder, no name being the base's. Raises ModelError for a folder that does not fit."""
    slots = {given: f"adapter_{index}" for index, given in enumerate(adapters)}  # PEFT allows no dot in a name
    if not adapters:
        yield NamedModels(name, base, None, {})
        return
    with loaded_all(base, {slots[given]: folder for given, folder in adapters.items()}) as tuned:
        yield NamedModels(name, base, tuned, slots)

"""One base and what was trained on it, each asked for by its name; one reply at a time."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from peft import PeftModel

from sekft.model import whole
from sekft.model.base import Base
from sekft.model.generate import Completion, Draw, complete, context_of
from sekft.model.lora import loaded, loaded_all
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids


class NamedModels:
    """Safe to call from several threads.

    names: the base first. context: tokens of prompt and reply together, None where the base does not say.
    tuned, slots: the base with all adapters on it, and what PEFT calls each. wholes: models with weights of their own.
    """

    def __init__(
        self, names: Sequence[str], base: Base, tuned: PeftModel | None, slots: Mapping[str, str], wholes: Mapping[str, Any]
    ) -> None:
        self.names = tuple(names)
        self.context = context_of(base)
        self._base = base
        self._tuned = tuned
        self._slots = slots
        self._wholes = wholes
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
        with self._turn:
            if heard(""):  # gone while it waited
                return Completion("", 0, stopped=False)
            with self._active(name) as model:
                return complete(self._base, model, prompt, Draw(max_tokens, temperature, top_p, seed), stop, heard)

    @contextmanager
    def _active(self, name: str) -> Iterator[Any]:
        """The model to generate with; the adapters on the base are switched for as long as it is used."""
        if name in self._wholes:
            yield self._wholes[name]
        elif self._tuned is None:
            yield self._base.model
        elif name not in self._slots:
            with self._tuned.disable_adapter():
                yield self._base.model
        else:
            if self._tuned.active_adapter != self._slots[name]:
                self._tuned.set_adapter(self._slots[name], inference_mode=True)
            yield self._tuned


@contextmanager
def named(name: str, base: Base, folders: Mapping[str, Path]) -> Iterator[NamedModels]:
    """folders: what training saved, by names other than the base's. Raises ModelError for one that does not fit."""
    adapters = {given: folder for given, folder in folders.items() if not whole.is_whole(folder)}
    slots = {given: f"adapter_{index}" for index, given in enumerate(adapters)}  # PEFT allows no dot in a name
    with ExitStack() as stack:
        wholes = {given: stack.enter_context(loaded(base, folder)) for given, folder in folders.items() if given not in adapters}
        tuned = stack.enter_context(loaded_all(base, {slots[given]: adapters[given] for given in adapters})) if adapters else None
        yield NamedModels([name, *folders], base, tuned, slots, wholes)

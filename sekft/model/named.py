"""What an endpoint serves: the base and what was trained on it, each asked for by its name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sekft.config import Engine
from sekft.model.base import Base
from sekft.model.generate import Completion, Draw, complete, context_of
from sekft.model.generators import Generators, generators
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids


class NamedModels:
    """Safe to call from several threads.

    names: the base first. context: tokens of prompt and reply together, None where the base does not say.
    """

    def __init__(self, base: Base, speaking: Generators) -> None:
        self.names = tuple(speaking.speak)
        self.context = context_of(base)
        self._base, self._speak = base, speaking.speak

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
        if heard(""):  # gone while it waited
            return Completion("", 0, stopped=False)
        return complete(self._base, self._speak[name], "", prompt, Draw(max_tokens, temperature, top_p, seed), stop, heard)


@contextmanager
def named(name: str, base: Base, folders: Mapping[str, Path], rows: int) -> Iterator[NamedModels]:
    """folders: what training saved, by names other than the base's. Raises ModelError for one that does not fit."""
    with generators(base, {name: None, **folders}, Engine.batched, rows) as speaking:
        yield NamedModels(base, speaking)

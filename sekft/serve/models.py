"""The models behind the endpoint: the base and what was trained on it, each by its name."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sekft.config import Engine
from sekft.model.base import Base
from sekft.model.generate import Completion, OnText, SamplingParameters, complete, context_tokens
from sekft.model.generators import Generators, generators
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids


class Models:
    """The Completer of the endpoint; thread-safe.

    names: the base first. context: tokens of prompt and reply together; None if the base's config does not state it.
    """

    def __init__(self, base: Base, loaded: Generators) -> None:
        self.names = tuple(loaded.by_name)
        self.context = context_tokens(base)
        self._base, self._generate = base, loaded.by_name

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The ids of the prompt, the same for every model. Raises RenderError."""
        return prompt_ids(messages, self._base.tokenizer)

    def complete(
        self,
        name: str,
        prompt: list[int],
        on_text: OnText,
        *,
        max_tokens: int,
        temperature: float,
        top_p: float,
        seed: int,
        stop: Sequence[str],
    ) -> Completion:
        """A reply of the model of that name; see sekft.model.generate.complete."""
        if on_text(""):  # the client left while the request waited
            return Completion("", 0, stopped=False)
        sampling = SamplingParameters(max_tokens, temperature, top_p, seed)
        return complete(self._base, self._generate[name], "", prompt, sampling, stop, on_text)


@contextmanager
def served_models(name: str, base: Base, folders: Mapping[str, Path], rows: int) -> Iterator[Models]:
    """Load what is served. name: of the base; folders: of adapters and full models, by other names. Raises ModelError for one that does
    not fit."""
    with generators(base, {name: None, **folders}, Engine.batched, rows) as loaded:
        yield Models(base, loaded)

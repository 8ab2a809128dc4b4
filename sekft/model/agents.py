"""Who lives the lives of an exam: the base and what was trained on it, as operators."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.config import EvalConfig
from sekft.model.base import Base
from sekft.model.engine import Counts
from sekft.model.generate import ModelOperator
from sekft.model.generators import Voices, voices, voices_on


@dataclass(frozen=True)
class Players:
    """operators: by player. counts: of every engine at work; none where replies are generated one by one."""

    operators: dict[str, ModelOperator]
    counts: tuple[Counts, ...]

    def tokens(self) -> dict[str, float]:
        """read: through the model; context: of the longest contexts of all lives. Empty where nobody counted."""
        read, context = sum(count.read() for count in self.counts), sum(count.needed() for count in self.counts)
        generated = sum(count.generated for count in self.counts)
        return {"read": read, "context": context, "read_per_context": read / context, "generated": generated} if context else {}

    def generated(self) -> int | None:
        """Tokens of replies so far."""
        return sum(count.generated for count in self.counts) if self.counts else None


@contextmanager
def players(base: Base, folders: Mapping[str, Path | None], limits: EvalConfig, seed: int) -> Iterator[Players]:
    """folders: of each player's adapter or weights, None for the base itself. Raises ModelError for one that does not fit."""
    with voices(base, folders, limits.engine, limits.rows) as speaking:
        yield _players(base, speaking, limits, seed)


@contextmanager
def playing(base: Base, tuned: Any, limits: EvalConfig, seed: int) -> Iterator[Players]:
    """One player, `tuned`: the model as it is now, in eval mode, with its active adapter if it has one."""
    with voices_on(base, tuned, {"tuned": getattr(tuned, "active_adapter", None)}, limits.engine, limits.rows) as speaking:
        yield _players(base, speaking, limits, seed)


def _players(base: Base, speaking: Voices, limits: EvalConfig, seed: int) -> Players:
    operators = {name: ModelOperator(name, base, speak, limits, seed) for name, speak in speaking.speak.items()}
    return Players(operators, speaking.counts)

"""Who episodes the episodes of an evaluation: the base and what was trained on it, as agents."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.config import EvalConfig
from sekft.model.base import Base
from sekft.model.engine import Counts
from sekft.model.generate import ModelAgent
from sekft.model.generators import Generators, generators, generators_on


@dataclass(frozen=True)
class ModelAgents:
    """agents: by agent. counts: of every engine at work; none where replies are generated one by one."""

    agents: dict[str, ModelAgent]
    counts: tuple[Counts, ...]

    def tokens(self) -> dict[str, float]:
        """read: through the model; context: of the longest contexts of all episodes. Empty where nobody counted."""
        read, context = sum(count.read() for count in self.counts), sum(count.needed() for count in self.counts)
        generated = sum(count.generated for count in self.counts)
        return {"read": read, "context": context, "read_per_context": read / context, "generated": generated} if context else {}

    def generated(self) -> int | None:
        """Tokens of replies so far."""
        return sum(count.generated for count in self.counts) if self.counts else None


@contextmanager
def model_agents(base: Base, folders: Mapping[str, Path | None], config: EvalConfig, seed: int) -> Iterator[ModelAgents]:
    """folders: of each agent's adapter or weights, None for the base itself. Raises ModelError for one that does not fit."""
    with generators(base, folders, config.engine, config.rows) as speaking:
        yield _agents(base, speaking, config, seed)


@contextmanager
def playing(base: Base, tuned: Any, config: EvalConfig, seed: int) -> Iterator[ModelAgents]:
    """One agent, `tuned`: the model as it is now, in eval mode, with its active adapter if it has one."""
    with generators_on(base, tuned, {"tuned": getattr(tuned, "active_adapter", None)}, config.engine, config.rows) as speaking:
        yield _agents(base, speaking, config, seed)


def _agents(base: Base, speaking: Generators, config: EvalConfig, seed: int) -> ModelAgents:
    agents = {name: ModelAgent(name, base, speak, config, seed) for name, speak in speaking.speak.items()}
    return ModelAgents(agents, speaking.counts)

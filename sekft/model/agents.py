"""The base and what was trained on it, as agents: for episodes, and for single questions."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.config import EvalConfig
from sekft.model.base import Base
from sekft.model.engine import TokenCounts
from sekft.model.generate import ModelAgent
from sekft.model.generators import Generators, generators, generators_on
from sekft.rendering.messages import Message


@dataclass(frozen=True)
class ModelAgents:
    """agents: by name. counts: of every engine; empty where replies are generated one by one."""

    agents: dict[str, ModelAgent]
    counts: tuple[TokenCounts, ...]

    def tokens(self) -> dict[str, float]:
        """Tokens read by the model, and tokens of the longest context of every episode; empty if nothing was counted."""
        read, context = sum(count.read() for count in self.counts), sum(count.minimum() for count in self.counts)
        generated = sum(count.generated for count in self.counts)
        return {"read": read, "context": context, "read_per_context": read / context, "generated": generated} if context else {}

    def generated(self) -> int | None:
        """Generated tokens so far; None if nothing is counted."""
        return sum(count.generated for count in self.counts) if self.counts else None


@contextmanager
def model_agents(base: Base, folders: Mapping[str, Path | None], config: EvalConfig, seed: int) -> Iterator[ModelAgents]:
    """Agents on a base. folders: of each agent's adapter or full model, None for the base itself. Raises ModelError for one that does not
    fit."""
    with generators(base, folders, config.engine, config.rows) as loaded:
        yield _agents(base, loaded, config, seed)


@contextmanager
def trained_agent(base: Base, tuned: Any, config: EvalConfig, seed: int) -> Iterator[ModelAgents]:
    """One agent, `tuned`: the model in its present state, in eval mode, with its active adapter if it has one."""
    with generators_on(base, tuned, {"tuned": getattr(tuned, "active_adapter", None)}, config.engine, config.rows) as loaded:
        yield _agents(base, loaded, config, seed)


def answer_questions(
    base: Base, folders: Mapping[str, Path | None], questions: Mapping[str, Sequence[Message]], config: EvalConfig, seed: int
) -> dict[str, list[tuple[str, bool]]]:
    """Answer single questions, all agents together. folders: as for model_agents. questions: by id.

    Returns agent -> (text, whether the agent stopped by itself) in the order of the questions.
    """
    with model_agents(base, folders, config, seed) as models, ThreadPoolExecutor(2 * config.rows) as pool:
        try:
            pending = {name: [pool.submit(_answer, models.agents[name], *question) for question in questions.items()] for name in folders}
            return {name: [answer.result() for answer in futures] for name, futures in pending.items()}
        except BaseException:  # Ctrl-C or SIGTERM: else the pool would wait for all answers
            for agent in models.agents.values():
                agent.cancel()
            pool.shutdown(cancel_futures=True)
            raise


def _answer(agent: ModelAgent, id: str, messages: Sequence[Message]) -> tuple[str, bool]:
    reply = agent.reply(id, messages)
    return reply.text, not (reply.cut or reply.full)


def _agents(base: Base, loaded: Generators, config: EvalConfig, seed: int) -> ModelAgents:
    agents = {
        name: ModelAgent(name, base, generate_reply, config, seed, loaded.cancelled) for name, generate_reply in loaded.by_name.items()
    }
    return ModelAgents(agents, loaded.counts)

"""Single questions to a base and to what was trained on it, answered together."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sekft.config import EvalConfig
from sekft.model.agents import model_agents
from sekft.model.base import Base
from sekft.model.generate import ModelAgent
from sekft.rendering.messages import Message


def replies(
    base: Base, folders: Mapping[str, Path | None], questions: Mapping[str, Sequence[Message]], config: EvalConfig, seed: int
) -> dict[str, list[tuple[str, bool]]]:
    """Agent -> (text, whether it stopped by itself) in the order of the questions. folders: None for the base itself."""
    with model_agents(base, folders, config, seed) as cast, ThreadPoolExecutor(2 * config.rows) as pool:
        asked = {agent: [pool.submit(_reply, cast.agents[agent], *one) for one in questions.items()] for agent in folders}
        return {agent: [answer.result() for answer in answers] for agent, answers in asked.items()}


def _reply(agent: ModelAgent, id: str, messages: Sequence[Message]) -> tuple[str, bool]:
    reply = agent.reply(id, messages)
    return reply.text, not (reply.cut or reply.full)

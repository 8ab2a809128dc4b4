"""Single questions to a base and to what was trained on it, answered together."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sekft.config import EvalConfig
from sekft.model.agents import players
from sekft.model.base import Base
from sekft.model.generate import ModelOperator
from sekft.rendering.messages import Message


def replies(
    base: Base, folders: Mapping[str, Path | None], questions: Mapping[str, Sequence[Message]], limits: EvalConfig, seed: int
) -> dict[str, list[tuple[str, bool]]]:
    """Player -> (text, whether it stopped by itself) in the order of the questions. folders: None for the base itself."""
    with players(base, folders, limits, seed) as cast, ThreadPoolExecutor(2 * limits.rows) as pool:
        asked = {player: [pool.submit(_reply, cast.operators[player], *one) for one in questions.items()] for player in folders}
        return {player: [answer.result() for answer in answers] for player, answers in asked.items()}


def _reply(operator: ModelOperator, id: str, messages: Sequence[Message]) -> tuple[str, bool]:
    reply = operator.reply(id, messages)
    return reply.text, not (reply.cut or reply.full)

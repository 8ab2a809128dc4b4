"""Recorded episodes of an adapter with the token ids of every reply, for replay.json: whoever loads a release can compare them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sekft.episode import trajectory
from sekft.errors import RenderError
from sekft.release.evidence import EPISODES
from sekft.rendering.messages import Message
from sekft.rendering.render import prepare, render_decision
from sekft.rendering.tokenizer import ChatTokenizer

AMOUNT, AGENT = 5, "tuned"
CUTTING_LIMITS = ("eval.max_reply_tokens", "eval.max_episode_tokens")  # a reply that reached one has no stop token


def recorded_replies(run: Path, tokenizer: ChatTokenizer, settings: Mapping[str, Any], dtype: str | None) -> dict[str, Any]:
    """The content of replay.json: the first five episodes in which no reply was cut; none if the evaluation was not greedy.

    `replies` are the token ids of every assistant turn, with the stop token. dtype: of the base's weights in the evaluation, None: unknown.
    Raises DataError for a file of episodes that cannot be read.
    """
    sampled = (settings.get("eval") or {}).get("temperature", 0) > 0
    episodes = [] if sampled else list(_complete_episodes(run / EPISODES, tokenizer))
    model = settings["model"]
    return {"base": model["path"], "load_4bit": bool(model.get("load_4bit")), "dtype": dtype, "episodes": episodes[:AMOUNT]}


def _complete_episodes(file: Path, tokenizer: ChatTokenizer) -> Iterator[dict[str, Any]]:
    for episode in trajectory.read(file):
        reached = episode.meta.get("limits") or {}
        if episode.agent != AGENT or episode.meta.get("dropped_lines") or any(limit in reached for limit in CUTTING_LIMITS):
            continue
        messages = list(episode.messages)
        try:
            replies = [reply_ids(messages, at, tokenizer) for at, message in enumerate(messages) if message.role == "assistant"]
        except RenderError:
            continue
        if replies:
            yield {"id": episode.id, "messages": [message.model_dump() for message in messages], "replies": replies}


def reply_ids(messages: list[Message], at: int, tokenizer: ChatTokenizer) -> list[int]:
    """The token ids of the assistant turn messages[at], with its stop token. Raises RenderError."""
    rendered = render_decision(prepare(messages, tokenizer), at, tokenizer)
    return [token for token, turn in zip(rendered.ids, rendered.turns, strict=True) if turn == at]

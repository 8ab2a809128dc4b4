"""Recorded episodes of an adapter, with the tokens of every reply: what whoever loads a release can hold it to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sekft.errors import RenderError
from sekft.rendering.messages import Message
from sekft.rendering.render import prepare, render_decision
from sekft.rendering.tokenizer import ChatTokenizer

EPISODES, AGENT = 5, "tuned"
LIMITED = ("eval.max_reply_tokens", "eval.max_episode_tokens")  # a reply that was cut has no end of its own


def recorded(run: Path, tokenizer: ChatTokenizer, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The first LIVES whose replies are all whole; none of an evaluation with a temperature.

    replies: ids of every assistant turn, the stop token included.
    """
    sampled = (settings.get("eval") or {}).get("temperature", 0) > 0
    episodes = [] if sampled else list(_whole(run / "episodes.jsonl", tokenizer))
    model = settings["model"]
    return {"base": model["path"], "load_4bit": bool(model.get("load_4bit")), "episodes": episodes[:EPISODES]}


def _whole(episodes: Path, tokenizer: ChatTokenizer) -> Iterator[dict[str, Any]]:
    for episode in map(json.loads, filter(None, episodes.read_text(encoding="utf-8").split("\n"))):
        meta = episode.get("meta") or {}
        if episode.get("agent") != AGENT or meta.get("dropped_lines") or any(name in (meta.get("limits") or {}) for name in LIMITED):
            continue
        messages = [Message(role=one["role"], content=one["content"]) for one in episode["messages"]]
        try:
            replies = [reply(messages, at, tokenizer) for at, one in enumerate(messages) if one.role == "assistant"]
        except RenderError:
            continue
        if replies:
            yield {"id": episode["id"], "messages": episode["messages"], "replies": replies}


def reply(messages: list[Message], at: int, tokenizer: ChatTokenizer) -> list[int]:
    rendered = render_decision(prepare(messages, tokenizer), at, tokenizer)
    return [token for token, turn in zip(rendered.ids, rendered.turns, strict=True) if turn == at]

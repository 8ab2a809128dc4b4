"""Documents written by the first edition of sekft, read under the names of this one."""

from collections.abc import Mapping
from typing import Any

SUMMARY = {  # keys of summary.json, wherever they stand in it
    "verb": "command",
    "players": "agents",
    "worlds": "scenarios",
    "exam": "eval",
    "lives": "episodes",
    "eval.max_life_tokens": "eval.max_episode_tokens",
    "eval.max_exam_s": "eval.max_eval_s",
    "kind=new world of a training archetype": "kind=new scenario of a training archetype",
}


def upgraded(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The document with its keys renamed at every depth, if the first edition wrote it: it alone has the key `verb`."""
    return _renamed(document, names) if "verb" in document else dict(document)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list) else value

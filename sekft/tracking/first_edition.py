"""Documents written by earlier editions of sekft, read under the names of this one."""

from collections.abc import Mapping
from typing import Any

from sekft.config.renamed import upgraded_kinds, upgraded_settings, upgraded_word

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
ITERATION = {"exam": "test", "worlds": "scenarios", "scenarios": "set", "lived": "played", "said": "lines"}  # of iteration.json


def upgraded(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of a run's folder under the present names of its fields. name: of its file."""
    if name == "run.json" and "verb" in document:
        return _run(document)
    if name == "run.json" and isinstance(settings := document.get("settings"), Mapping):
        overrides = [upgraded_word(str(word)) for word in document.get("overrides") or ()]
        return {**document, "settings": upgraded_kinds(settings), "overrides": overrides}
    if name == "summary.json" and "verb" in document:
        return _renamed(document, SUMMARY)
    if name == "iteration.json" and "exam" in document:
        return _iteration(document)
    return dict(document)


def _run(document: Mapping[str, Any]) -> dict[str, Any]:
    found = {{"verb": "command", "exam": "evaluation"}.get(key, key): value for key, value in document.items()}
    found["settings"] = upgraded_settings(found.get("settings") or {})
    found["overrides"] = [upgraded_word(str(word)) for word in found.get("overrides") or ()]
    found["evaluation"] = _renamed(found.get("evaluation") or {}, {"worlds": "n"})
    found["seeds"] = _renamed(found.get("seeds") or {}, {"worlds": "scenarios"})
    return found


def _iteration(document: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _renamed(document, ITERATION)
    if found.get("next"):
        found["next"]["overrides"] = [upgraded_word(str(word)) for word in found["next"]["overrides"]]
    return found


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list) else value

"""Settings and options that had another name before: one table for the command line, for recipes and for run records."""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from sekft.errors import SettingsError

KEYS: dict[str, str] = {  # old -> new; a group counts for every key in it
    "operator": "agent",
    "eval.stones": "eval.baselines",
    "eval.choosing_worlds": "eval.selection_scenarios",
    "eval.max_life_tokens": "eval.max_episode_tokens",
    "eval.max_exam_s": "eval.max_eval_s",
    "eval.remember": "eval.cache",
    "sandbox.life_s": "sandbox.session_s",
    "split.train_bundles": "split.train_scenarios",
    "split.exam_bundles": "split.eval_scenarios",
    "repair.worlds": "repair.scenarios",
    "where.exam": "where.eval",
    "serve.token": "serve.token_env",
    "hydra.sweeper.worlds": "hydra.sweeper.scenarios",
    "world": "scenario",  # sekft.chat
    "lives": "episodes",  # sekft.chat
    "worlds": "scenarios",  # sekft.release
    "baseline": "against",  # sekft.compare
    "data.sources.hub.path": "data.path",
    "data.sources.hub": "data.sources.own",
}
SETS = {"exam": "test", "choosing": "selection"}
OPTIONS: dict[str, dict[str, str]] = {  # by new key: old -> new
    "scenarios": SETS,
    "library": SETS,
    "hydra.sweeper.scenarios": SETS,
    "trainer": {"quick": "auto", "qlora": "auto"},
    "model": {"qwen3b": "qwen25_3b"},  # it is a Qwen2.5
    "data": {"hub": "own"},
    "source": {"hub": "own"},  # sekft.collect
}
SOURCE_KINDS = {"hub": "messages", "shell": "trajectories"}

OVERRIDE = re.compile(r"(?P<sign>~|\+{0,2})(?P<params>hydra\.sweeper\.params\.)?(?P<key>[\w./]+)(?P<rest>[@=].*)?", re.DOTALL)


def require_new_names(words: Sequence[str]) -> None:
    """Raises SettingsError for the first override with an old name: the old one, and the override to write instead."""
    for word in words:
        if (new := upgraded_word(word)) != word:
            key = word.partition("=")[0]
            old = key.lstrip("+~") if new.partition("=")[0] != key else word
            raise SettingsError(f"{old}: renamed; write {new}")


def upgraded_word(word: str) -> str:
    """An override with old names replaced; any other word as it is."""
    parts = OVERRIDE.fullmatch(word)
    if parts is None or word.startswith("-") or not (parts["sign"] == "~" or "=" in word):
        return word
    key, rest = new_key(parts["key"]), parts["rest"] or ""
    for old, new in OPTIONS.get(key, {}).items():  # also one of several: scenarios=exam,held_out
        rest = re.sub(rf"(?<![\w./-]){old}(?![\w./-])", new, rest)
    return f"{parts['sign']}{parts['params'] or ''}{key}{rest}"


def new_key(key: str) -> str:
    """The present name of a key; itself if it was never another."""
    for old, new in KEYS.items():
        if key == old or key.startswith(f"{old}."):
            return new + key[len(old) :]
    return key


def old_options(settings: Mapping[str, Any]) -> Iterator[str]:
    """`key=old: renamed; write key=new` for every option of composed settings that has an old name."""
    for key, names in OPTIONS.items():
        if isinstance(value := settings.get(key), str) and value in names:
            yield f"{key}={value}: renamed; write {key}={names[value]}"


def upgraded_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings of a record of any edition, under the present names."""
    found = _moved(settings, KEYS)
    for key, names in OPTIONS.items():
        if isinstance(value := found.get(key), str):
            found[key] = names.get(value, value)
    return upgraded_kinds(found)


def upgraded_kinds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings of a record with the present names of the kinds of data sources."""
    found = deepcopy(dict(settings))
    for source in ((found.get("data") or {}).get("sources") or {}).values():
        source["kind"] = SOURCE_KINDS.get(source.get("kind"), source.get("kind"))
    return found


def _moved(document: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """A copy of a nested document in which the values of old dotted keys stand under the new ones, in the same places."""
    found: dict[str, Any] = deepcopy(dict(document))
    for old, new in keys.items():
        *path, name = old.split(".")
        node: Any = found
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict) and name in node:
            renamed = new.rpartition(".")[2]
            items = [(renamed if key == name else key, value) for key, value in node.items()]
            node.clear()
            node.update(items)
    return found

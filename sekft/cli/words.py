"""The words of a command line before Hydra reads them: each must be an override of a setting that exists, or a flag of Hydra.

What is neither is refused in one line that says what was probably meant: `trainer.learning_rate=1e-3` is `trainer.lr=1e-3`.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from omegaconf import OmegaConf

from sekft.cli.settings import DATA_PATH, SEVERAL_FILES, conf_folder
from sekft.config.commands import COMMANDS
from sekft.config.foreign import IF_TRUE, MAX_SUGGESTED, closest, our_setting
from sekft.config.reference import NAME, Setting
from sekft.config.reference import settings as settings_of
from sekft.config.renamed import OVERRIDE
from sekft.errors import SettingsError

WITH_VALUE = {  # flags of Hydra
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--experimental-rerun",
}  # fmt: skip
ALONE = {
    "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m", "--shell-completion", "-sc", "--info", "-i",
}  # fmt: skip


PLACES = {  # by command: the setting that a file or folder is probably for, by the ending of its name
    "compare": {"": "runs"},
    "status": {"": "runs"},
    "release": {"": "run"},
    "check": {"": "path", ".jsonl": "trajectories"},
    "eval": {"": "adapter", ".yaml": "scenarios", ".json": "scenarios", ".jsonl": "scenarios"},
    "chat": {"": "adapter"},
    "serve": {"": "adapter"},
}


def require_known(command: str, words: Sequence[str]) -> None:
    """Raises SettingsError for the first word that is no flag of Hydra and no override of a setting or group of this command."""
    rest = iter(words)
    for word in rest:
        flag, has_value, value = word.partition("=")
        if flag in WITH_VALUE:
            if not has_value:
                next(rest, None)
        elif word.startswith("-"):
            if flag not in ALONE:
                raise SettingsError(_unknown_flag(command, flag, value if has_value else next(rest, "")))
            if flag in ("--info", "-i", "--shell-completion", "-sc") and not has_value:
                next(rest, None)
        else:
            if "=" in word or word.startswith("~"):
                _require_key(command, word)
            else:
                _require_override(command, word, next(rest, ""))


def given_twice(words: Sequence[str]) -> list[str]:
    """A line for every key that is given two values, of which Hydra keeps the last. Raises SettingsError for two values of data.path."""
    given: dict[str, str] = {}
    lines = []
    for word in words:
        parts = OVERRIDE.fullmatch(word)
        if word.startswith(("-", "~")) or parts is None or not (rest := parts["rest"] or "").startswith("="):
            continue
        key, value = f"{parts['params'] or ''}{parts['key']}", rest[1:]
        if given.get(key, value) != value:
            if key == DATA_PATH:
                raise SettingsError(f"{key}: given twice, as {given[key]} and as {value}; allowed: one value; {SEVERAL_FILES}")
            lines.append(f"{key}: given twice, as {given[key]} and as {value}; the last one counts")
        given[key] = value
    return lines


def with_new_keys(command: str, words: Sequence[str]) -> list[str]:
    """The words, with ++ before a key below a setting that has keys of its own: trainer.extra.optim=sgd adds one, as + would."""
    free = tuple(f"{setting.key}." for setting in settings_of(COMMANDS[command]) if setting.is_free)
    return [f"++{word}" if word.startswith(free) and "=" in word else word for word in words]


def _require_override(command: str, word: str, following: str) -> None:
    """Raises SettingsError for a word without a value."""
    if command in PLACES and Path(word).exists():
        settings = PLACES[command]
        key = settings.get(Path(word).suffix) or settings[""]
        raise SettingsError(f"{word}: a file or folder without the setting it is for; write {key}={shlex.quote(word)}")
    if word.endswith((".yaml", ".yml", ".json")):
        name = Path(word).stem
        raise SettingsError(
            f"{word}: found a file, allowed: KEY=VALUE; a recipe is an option of its own: put it into FOLDER/experiment/{name}.yaml and "
            f"write --config-dir FOLDER experiment={name}"
        )
    value = "" if not following or "=" in following or following.startswith("-") else following
    meant = suggestions(command, word, value)
    raise SettingsError(f"{word}: no value given; write {meant[0] if meant else 'KEY=VALUE'} (--help lists every setting)")


def _require_key(command: str, word: str) -> None:
    parts = OVERRIDE.fullmatch(word)
    if parts is None or parts["params"]:
        return  # Hydra reports what is no override
    key = parts["key"]
    if is_known(command, key):
        return
    meant = suggestions(command, key, word.partition("=")[2])
    if meant:
        raise SettingsError(f"unknown key {key}; did you mean {' or '.join(meant)}? (--help lists every setting)")
    raise SettingsError(f"unknown key {key}; {_allowed(command, key)}")


def _unknown_flag(command: str, flag: str, value: str) -> str:
    value = "true" if not value or value.startswith("-") or "=" in value else value
    name = flag.lstrip("-")
    if name in ("config", "config-file", "config_file", "recipe"):
        return f"{flag}: not known; a recipe is named: experiment=NAME, from FOLDER/experiment/NAME.yaml with --config-dir FOLDER"
    meant = suggestions(command, name, value)
    if not meant and (flags := closest(flag, [*WITH_VALUE, *ALONE])):
        return f"{flag}: not known; did you mean {flags[0]}?"
    write = f"write {' or '.join(meant)}" if meant else "write KEY=VALUE"
    return f"{flag}: settings are given without dashes; {write} (--help lists every setting)"


def is_known(command: str, key: str) -> bool:
    """Whether the dotted key is a setting of the command, one of its groups, or Hydra's own."""
    top = re.split(r"[./]", key)[0]
    if top == "hydra" or key in groups(command) or "/" in key and (conf_folder() / key).is_dir():
        return True
    return _pattern(command).fullmatch(key) is not None


@cache
def _pattern(command: str) -> re.Pattern[str]:
    """What every key of the command matches: those of its settings, and those of the groups above them."""
    allowed: set[str] = set()
    for setting in settings_of(COMMANDS[command]):
        key = re.escape(setting.key).replace(NAME, r"[\w-]+")
        allowed.add(key + r"(\..+)?" if setting.is_free or "names with" in setting.range else key)
        parts = key.split(r"\.")
        allowed |= {r"\.".join(parts[:length]) for length in range(1, len(parts))}
    return re.compile("|".join(sorted(allowed)))


@cache
def groups(command: str) -> Mapping[str, str]:
    """The groups in the defaults list of a command, with the option that is chosen; a list as [a,b], nothing as null."""
    defaults = OmegaConf.to_container(OmegaConf.load(conf_folder() / f"{command}.yaml"))["defaults"]  # type: ignore[index, call-overload]
    found = {}
    for entry in defaults:
        if isinstance(entry, dict):
            ((group, option),) = entry.items()
            found[str(group)] = f"[{','.join(option)}]" if isinstance(option, list) else "null" if option is None else str(option)
    return found


def suggestions(command: str, key: str, value: str) -> list[str]:
    """The overrides that this one may have been meant to be, the likeliest first; empty if nothing is near."""
    plain = key.replace("-", "_")
    if (ours := our_setting(plain)) and is_known(command, ours.partition("=")[0]):
        setting = next((one for one in settings_of(COMMANDS[command]) if one.key == ours), None)
        if value.lower() in ("true", "yes") and not (setting and "true" in setting.range):
            return [IF_TRUE.get(ours) or (ours if "=" in ours else _override(command, ours, ""))]
        if ours == "model.path" and (conf_folder() / "model" / f"{value}.yaml").exists():
            return [f"model={value}"]
        return [ours if "=" in ours else _override(command, ours, value)]
    return [_override(command, found, value) for found in _near(command, plain)]


def _near(command: str, key: str) -> list[str]:
    """Keys of the command: a misspelt one beside the others of its group, one with this name in another group, or one spelt like it."""
    known = [setting.key for setting in settings_of(COMMANDS[command])]
    above, _, last = key.rpartition(".")
    if siblings := [name.rpartition(".")[2] for name in known if above and _matches(name.rpartition(".")[0], above)]:
        found = closest(last, siblings)
        return [f"{above}.{name}" for name in found]
    keys = list(dict.fromkeys([*groups(command), *known]))
    if same := [name for name in keys if name.rpartition(".")[2] == last]:
        return same[:MAX_SUGGESTED]
    if found := closest(key, keys):
        return found
    ends = {name.rpartition(".")[2]: name for name in reversed(keys)}
    return [ends[end] for end in closest(last, list(ends))]


def _matches(key: str, typed: str) -> bool:
    """Whether the typed key is this one, with any name in the place of NAME."""
    return re.fullmatch(re.escape(key).replace(NAME, r"[\w-]+"), typed) is not None


def _override(command: str, key: str, value: str) -> str:
    """KEY=VALUE with the value as it was typed, or with an example where none was."""
    setting = next((one for one in settings_of(COMMANDS[command]) if one.key == key), None)
    return f"{key}={shlex.quote(value) if value else setting.example if setting and setting.example else '...'}"


def _allowed(command: str, key: str) -> str:
    """What is allowed where the key stands; also which commands have it, if others do."""
    others = [other for other in COMMANDS if other != command and is_known(other, key)]
    elsewhere = f"a setting of {', '.join(f'sekft.{other}' for other in others)}; " if others else ""
    above = key.rpartition(".")[0]
    level = [setting.name for setting in settings_of(COMMANDS[command]) if _above(setting) == above]
    if not above or not level:
        above, level = "", [*groups(command), *(one.key for one in settings_of(COMMANDS[command]) if "." not in one.key)]
    return f"{elsewhere}allowed{f' in {above}' if above else ''}: {', '.join(dict.fromkeys(level))}"


def _above(setting: Setting) -> str:
    return setting.key.rpartition(".")[0]

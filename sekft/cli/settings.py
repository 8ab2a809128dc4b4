"""The composed config as typed settings, and errors of the configuration as one line."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from sekft.config.automatic import Choice, Choose, open_keys
from sekft.config.bounds import require_bounds
from sekft.config.commands import COMMANDS
from sekft.config.foreign import VALUES, closest, our_setting, require_undecided
from sekft.config.reference import is_key
from sekft.config.reference import settings as settings_of
from sekft.config.renamed import new_key, old_options
from sekft.errors import SettingsError
from sekft.tracking.files import expanded

T = TypeVar("T")
DATA_PATH = "data.path"
SEVERAL_FILES = "several files are put, or linked, into one folder: data.path=FOLDER (docs/data.md)"


def settings(cfg: DictConfig, node: type[T]) -> T:
    """The composed config as a clean typed object.

    Merging once more into a fresh node catches what Hydra lets pass: keys added with `+`, and every missing value. An automatic setting
    that is null gets its field's default; see settled. Raises SettingsError naming the key, what was found and what is allowed.
    """
    return settled(cfg, node)[0]


def settled(cfg: DictConfig, node: type[T], choose: Choose | None = None) -> tuple[T, tuple[Choice, ...]]:
    """The typed settings, in which automatic settings that are null have the values that the rules choose, and what was chosen.

    choose: the rules of the command; see sekft.config.automatic. Raises SettingsError.
    """
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=False)  # type: ignore[assignment]
    if answer := next(old_options(plain), None):
        raise SettingsError(answer)
    left_open = frozenset(open_keys(plain, node))
    typed = _typed(plain, left_open, node)
    chosen = tuple(choose(typed, left_open)) if choose and left_open else ()
    if not chosen:
        return typed, ()
    values = OmegaConf.create(plain)
    for choice in chosen:
        OmegaConf.update(values, choice.key, choice.value)
    filled: dict[str, Any] = OmegaConf.to_container(values, resolve=False)  # type: ignore[assignment]
    return _typed(filled, frozenset(open_keys(filled, node)), node), chosen


def _typed(plain: Mapping[str, Any], left_open: frozenset[str], node: type[T]) -> T:
    """The settings, with the defaults of their fields for the keys left open."""
    try:
        clean = OmegaConf.merge(OmegaConf.structured(node), _without(plain, left_open))
        if missing := sorted(OmegaConf.missing_keys(clean)):
            raise SettingsError(f"no value for {', '.join(missing)} (give it: {missing[0]}=...)")
        typed: Any = OmegaConf.to_object(clean)  # resolves ${...}; OmegaConf.resolve before it would resolve what was escaped, too
    except OmegaConfBaseException as error:
        raise SettingsError(error_line(error)) from None
    require_bounds(typed)
    if hasattr(typed, "adapter"):
        typed.adapter = _adapters_of_runs(typed.adapter)
    require_undecided(typed)
    return typed


def _adapters_of_runs(value: Any) -> Any:
    """The setting `adapter`, with the adapter in place of a run or a release that has one."""
    if isinstance(value, Mapping):
        return {name: _adapters_of_runs(one) for name, one in value.items()}
    if not isinstance(value, str) or any((Path(value) / name).exists() for name in ("adapter_config.json", "config.json")):
        return value
    inside = expanded(value) / "adapter"
    return str(inside) if inside.is_dir() else value


def _without(plain: Mapping[str, Any], keys: frozenset[str], prefix: str = "") -> dict[str, Any]:
    """The nested values without the dotted keys."""
    return {
        name: _without(value, keys, f"{prefix}{name}.") if isinstance(value, Mapping) else value
        for name, value in plain.items()
        if f"{prefix}{name}" not in keys
    }


def conf_folder() -> Path:
    """conf/ as shipped in a wheel, else as it lies beside the package in a checkout."""
    here = Path(__file__).resolve().parents[1]
    return next((folder for folder in (here / "conf", here.parent / "conf") if (folder / "train.yaml").exists()), here / "conf")


def error_line(error: BaseException) -> str:
    """Hydra's and OmegaConf's several lines as one: the key, what was found, what is allowed, and what was probably meant."""
    unknown = next((one for one in (error, error.__cause__) if isinstance(one, ConfigKeyError | ConfigAttributeError)), None)
    if unknown is not None and dataclasses.is_dataclass(unknown.object_type):
        return _unknown_key(str(unknown.full_key), [field.name for field in dataclasses.fields(unknown.object_type)])
    text = "; ".join(_causes(error)).replace(":;", ":")
    if match := re.search(r"Could not (?:load|find) '(\w[\w/]*?)/(/?[^/'].*?)'", text):
        return _unknown_option(*_group_and_option(match[1], match[2]))
    if match := re.search(r"full_key: ([\w.]+)", text):
        if new_key(match[1]) != match[1]:
            return f"{match[1]}: renamed; write {new_key(match[1])}"
        if "not in struct" in text:
            return f"unknown key {match[1]}; if it is a new name in a list of names, write +{match[1]}=..."
        return _wrong_value(match[1], text)
    if match := re.search(r"Ambiguous value for argument '([^=]+)=(.*?)';", text):
        listed = SEVERAL_FILES if match[1] == DATA_PATH else f"a list is written '{match[1]}=[{match[2]}]'"
        return f"{match[1]}: found several values, {match[2]}; allowed with -m, as a sweep; {listed}"
    if "override_grammar" in text:
        match = re.search(r"Error parsing override '(.*?)'", text)
        found = f"{match[1]}: cannot be read" if match else "an override cannot be read"
        return f"{found}, allowed: KEY=VALUE; a text with blanks, commas or brackets is quoted twice: KEY=\"'TEXT'\""
    return text or type(error).__name__


def _unknown_key(key: str, fields: list[str]) -> str:
    """For a key in a file; on the command line it was refused before."""
    if new_key(key) != key:
        return f"{key}: renamed; write {new_key(key)}"
    above = key.rpartition(".")[0]
    meant = [name for name in [our_setting(key)] if name] or [f"{above}.{name}" if above else name for name in closest(key, fields)]
    return f"unknown key {key}{f'; did you mean {meant[0]}?' if meant else ''}; allowed: {', '.join(fields)}"


def _group_and_option(group: str, option: str) -> tuple[str, str]:
    """The group and option of a file that was not found: an option may have slashes, and so may a group."""
    if option.startswith("/"):
        return group, option
    parts = f"{group}/{option}".split("/")
    length = max(length for length in range(1, len(parts)) if length == 1 or (conf_folder() / "/".join(parts[:length])).is_dir())
    return "/".join(parts[:length]), "/".join(parts[length:])


def _unknown_option(group: str, option: str) -> str:
    options = sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
    allowed = f"{group}: no option {option}; allowed: {', '.join(options)}"
    if group == "model" and (len(Path(option).parts) > 1 or Path(option).exists()):
        return f"model: no option {option}; a folder, a hub id or a GGUF file is given by its path: write model.path={option}"
    if group == "lora" and (match := re.fullmatch(r"r?(\d+)", option)):
        return f"{allowed}; another rank: lora.r={match[1]} lora.alpha={2 * int(match[1])}"
    meant = closest(option, options) or [name for name in options if name.startswith(option)]
    return f"{group}: no option {option}; did you mean {group}={meant[0]}? allowed: {', '.join(options)}" if meant else allowed


def _wrong_value(key: str, text: str) -> str:
    """For a value of the wrong type: the key, the value, the range, and an example."""
    settings_of_key = (one for node in COMMANDS.values() for one in settings_of(node) if is_key(one, key))
    setting = next(settings_of_key, None)
    match = re.search(r"(?:Error merging override [^;]*?=(?P<typed>[^;]*))", text) or re.search(r"[Vv]alue '(?P<typed>[^']*)'", text)
    if setting is None or match is None:
        return text
    found = match["typed"]
    meant = [VALUES[found]] if VALUES.get(found) in setting.choices else closest(found.strip("[]"), setting.choices)
    hint = f"did you mean {meant[0]}?" if meant else f"for example {key}={setting.example}"
    return f"{key}: found {found or 'nothing'}, allowed: {setting.range}; {hint}"


def _causes(error: BaseException) -> list[str]:
    """The lines of an error and its causes, each once, without what says nothing to a user."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        for line in str(cause).splitlines():
            text = line.strip()
            if text.startswith(("Config search path", "provider=", "Set the environment variable")):
                break
            if text and not text.startswith(("object_type=", "reference_type=")) and text not in lines:
                lines.append(text)
        cause = cause.__cause__
    return lines

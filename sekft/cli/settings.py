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
from sekft.config.renamed import new_key, old_options
from sekft.errors import SettingsError

T = TypeVar("T")


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
        OmegaConf.resolve(clean)
        if missing := sorted(OmegaConf.missing_keys(clean)):
            raise SettingsError(f"no value for {', '.join(missing)} (give it: {missing[0]}=...)")
        typed = OmegaConf.to_object(clean)
    except OmegaConfBaseException as error:
        raise SettingsError(error_line(error)) from None
    require_bounds(typed)
    if hasattr(typed, "adapter"):
        typed.adapter = _adapters_of_runs(typed.adapter)
    return typed  # type: ignore[return-value]


def _adapters_of_runs(value: Any) -> Any:
    """The setting `adapter`, with the adapter in place of a run or a release that has one."""
    if isinstance(value, Mapping):
        return {name: _adapters_of_runs(one) for name, one in value.items()}
    if not isinstance(value, str) or any((Path(value) / name).exists() for name in ("adapter_config.json", "config.json")):
        return value
    inside = Path(value).expanduser() / "adapter"
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
    """Hydra's and OmegaConf's several lines as one, the cause included, searched paths left out."""
    unknown = next((one for one in (error, error.__cause__) if isinstance(one, ConfigKeyError | ConfigAttributeError)), None)
    if unknown is not None and dataclasses.is_dataclass(unknown.object_type):
        key = str(unknown.full_key)
        if new_key(key) != key:  # in a file; on the command line it was refused before
            return f"{key}: renamed; write {new_key(key)}"
        allowed = ", ".join(field.name for field in dataclasses.fields(unknown.object_type))
        return f"unknown key {key}; allowed: {allowed}"
    if match := re.search(r"Could not load '(\w+)/(.+?)'", str(error)):
        options = ", ".join(sorted(path.stem for path in (conf_folder() / match[1]).glob("*.yaml")))
        return f"{match[1]}: no option {match[2]}; allowed: {options}"
    if (match := re.search(r"full_key: ([\w.]+)", str(error))) and new_key(match[1]) != match[1]:
        return f"{match[1]}: renamed; write {new_key(match[1])}"
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
    return "; ".join(lines).replace(":;", ":") or type(error).__name__

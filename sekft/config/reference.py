"""Every setting of a command with its meaning, unit, range, default and example: read from the types and comments of sekft/config.

A field's comment, beside it or on the lines above it, is its meaning. It may begin with a unit in brackets and end with an example:
`# [rows] one step learns from batch * accumulation rows; e.g. 8`. A unit in the name (`timeout_s`, `max_tokens`) needs no brackets.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from omegaconf import MISSING

from sekft.config.bounds import AUTOMATIC, bounds_text

NAME = "NAME"  # stands for a key of a dictionary of settings: data.sources.NAME.path
UNITS = {
    "_s": "seconds", "_mb": "MB", "_bytes": "bytes", "_tokens": "tokens", "_steps": "steps", "_share": "share", "_turns": "turns",
    "_scenarios": "scenarios", "_messages": "messages", "_stories": "stories", "_samples": "samples", "_conversations": "conversations",
}  # fmt: skip
BARE_UNITS = {unit[1:]: text for unit, text in UNITS.items()} | {"episodes": "episodes", "epochs": "epochs", "share": "share"}
EXAMPLE = "; e.g. "
# first words of a meaning that begins with its unit: `[rows] painted in the terminal` is "rows painted in the terminal"
CONTINUES = {
    "of", "at", "by", "in", "that", "per", "whose", "who", "to", "for", "after", "inside", "painted", "generated", "waiting", "planned",
    "created", "packed",
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One setting of a command. range: the values allowed, in words. default: of the field, before conf/ and rules change it."""

    key: str  # dotted; a name that the user chooses is NAME
    meaning: str
    unit: str  # empty for what is no number
    range: str
    default: str
    example: str  # of a value, as it is written on the command line
    is_free: bool = False  # has keys of its own below it, such as trainer.extra.KEY
    is_automatic: bool = False
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    def override(self) -> str:
        """The example as it is typed, quoted for a shell."""
        word = f"{self.key}{'' if self.is_free else '='}{self.example}"
        special = any(letter in word for letter in " []{}*,;$\"'")
        return word if not special else f'"{word}"' if "'" in word else f"'{word}'"


@dataclass(frozen=True)
class Section:
    """A group of settings in one dataclass: its dotted key, empty for those of the command itself, and what its docstring says."""

    key: str
    meaning: str
    settings: tuple[Setting, ...]


@cache
def sections(node: type, prefix: str = "") -> tuple[Section, ...]:
    """The settings of a command's type: its own ones first, then group by group, in the order of the fields."""
    own: list[Setting] = []
    below: list[Section] = []
    for one in fields(node):
        key = f"{prefix}.{one.name}" if prefix else one.name
        inner = _settings_type(one.type)
        if inner is None:
            own.append(describe(one, key, comment(node, one.name)))
        else:
            below += sections(inner, key if inner is one.type else f"{key}.{NAME}")
    meaning = " ".join((node.__doc__ or "").split()) if not (node.__doc__ or "").startswith(f"{node.__name__}(") else ""
    return (*((Section(prefix, meaning, tuple(own)),) if own else ()), *below)


def settings(node: type) -> Iterator[Setting]:
    """All settings of a command's type."""
    for section in sections(node):
        yield from section.settings


def is_key(setting: Setting, typed: str) -> bool:
    """Whether a typed key is this setting's, with any name in the place of NAME."""
    return re.fullmatch(re.escape(setting.key).replace(NAME, r"[\w-]+"), typed) is not None


def describe(one: "Field[Any]", key: str, text: str) -> Setting:
    """One setting from its field and comment."""
    unit = ""
    if text.startswith("["):
        unit, _, text = text[1:].partition("]")
    meaning, _, example = text.strip().partition(EXAMPLE)
    if unit and meaning.split(" ")[0] in CONTINUES:
        meaning = f"{unit} {meaning}"
    kinds, optional = _kinds(one.type)
    choices = tuple(member.value for kind in kinds for member in _members(kind))
    default = _default(one)
    values = _range(one, kinds, choices)
    return Setting(
        key=key,
        meaning=meaning,
        unit=(unit or _unit(one.name)) if "number" in values else "",
        range=f"{values} or null" if optional else values,
        default=shown(default),
        example=example or _example(kinds, choices, default),
        is_free=get_origin(one.type) is dict,
        is_automatic=bool(one.metadata.get(AUTOMATIC)),
        choices=choices,
    )


@cache
def comments(node: type) -> Mapping[str, str]:
    """The comment of every field that a dataclass itself declares: the lines above it, or the end of its line."""
    lines = textwrap.dedent(inspect.getsource(node)).splitlines()
    found: dict[str, str] = {}
    for statement in ast.parse("\n".join(lines)).body[0].body:  # type: ignore[attr-defined]
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
            above: list[str] = []
            while lines[first - 1].strip().startswith("#"):
                first -= 1
                above.insert(0, lines[first].strip().lstrip("# "))
            beside = lines[last].encode()[statement.end_col_offset :].decode().strip().lstrip("# ")
            found[statement.target.id] = " ".join([*above, beside]).strip()
    return found


def comment(node: type, name: str) -> str:
    """The comment of a field, also of one that the dataclass inherits; empty without one."""
    return next((own[name] for one in node.__mro__ if is_dataclass(one) and name in (own := comments(one))), "")


def shown(value: Any) -> str:
    """A value as it is written on the command line."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case list() | tuple():
            return f"[{','.join(map(shown, value))}]"
        case dict():
            return f"{{{','.join(f'{key}:{shown(item)}' for key, item in value.items())}}}"
        case str():
            return value or "''"
        case float() if value and abs(value) < 1e-2:
            return f"{value:g}".replace("e-0", "e-")
        case _:
            return str(value)


def _settings_type(kind: Any) -> type | None:
    """The dataclass of nested settings: of the field itself, or of the values of a dictionary."""
    inner = get_args(kind)[1] if get_origin(kind) is dict else kind
    return inner if isinstance(inner, type) and is_dataclass(inner) else None


def _kinds(kind: Any) -> tuple[tuple[Any, ...], bool]:
    """The types that a field allows, and whether null is among them."""
    parts = get_args(kind) if isinstance(kind, UnionType) or NoneType in get_args(kind) else (kind,)
    return tuple(part for part in parts if part is not NoneType), NoneType in parts


def _members(kind: Any) -> list[Enum]:
    inner = get_args(kind)[0] if get_origin(kind) is list else kind
    return list(inner) if isinstance(inner, type) and issubclass(inner, Enum) else []


def _range(one: "Field[Any]", kinds: tuple[Any, ...], choices: tuple[str, ...]) -> str:
    (kind, *_) = kinds
    if get_origin(kind) is list:
        return f"list of {', '.join(choices)}" if choices else "list of texts" if get_args(kind)[0] is str else "list of whole numbers"
    if get_origin(kind) is dict:
        return {int: "names with whole numbers", float: "names with numbers"}.get(get_args(kind)[1], "names with values")
    if choices:
        return ", ".join(choices)
    if kind in (int, float):
        return f"{'a whole number' if kind is int else 'a number'}, {bounds_text(one.metadata)}"
    return {bool: "true, false", str: "text", Any: "text, list or names with values"}[kind]


def _default(one: "Field[Any]") -> Any:
    if one.default_factory is not NO_DEFAULT:
        return one.default_factory()
    return one.default


def _unit(name: str) -> str:
    return BARE_UNITS.get(name) or next((text for end, text in UNITS.items() if name.endswith(end)), "")


def _example(kinds: tuple[Any, ...], choices: tuple[str, ...], default: Any) -> str:
    """An example where the comment gives none: another value than the default; empty if it cannot be told from the type."""
    (kind, *_) = kinds
    if get_origin(kind) is list and choices:
        return f"[{choices[0]}]"
    if choices:
        return next((choice for choice in choices if choice != shown(default)), choices[0])
    if kind is bool:
        return shown(not default)
    if kind in (int, float) and isinstance(default, int | float) and default > 0:
        return shown(default / 2 if kind is float else default * 2)
    return shown(default) if kind is str and default and default != MISSING else ""

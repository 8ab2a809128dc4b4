"""Text on the command line as Hydra's grammar and OmegaConf's interpolation must be given it, so that it arrives as it was typed."""

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from sekft.config.commands import COMMANDS
from sekft.config.reference import is_key
from sekft.config.reference import settings as settings_of

PROSE = ("prompt", "hint", "agent.scaffold", "author.brief", "agent.script")  # any text, above all shell text: nothing in it is Hydra's
MULTIRUN = {"-m", "--multirun"}
PLAIN = re.compile(r"[A-Za-z_./-][\w./-]*", re.ASCII)
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
INTERPOLATION = re.compile(r"\$\{\s*(?P<name>[\w.]+)\s*(?P<end>[:}])")


def quoted(value: str) -> str:
    """The value as a Hydra string: =, commas, blanks and backslashes in it are text."""
    return str(QuotedString(text=value, quote=Quote.single).with_quotes())


def unquoted(value: str) -> str:
    """What Hydra reads in a value: the text in its quotes, or the value as it is."""
    return str(OverridesParser.create().parse_override(f"key={value}").value()) if QUOTED.fullmatch(value) else value


def as_text(value: str) -> str:
    """The value as a Hydra string in which ${...} is text, too."""
    return quoted(re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", value))


def with_text_as_typed(command: str, words: Sequence[str]) -> list[str]:
    """The words, with the values of settings that are text quoted where Hydra would read them as something else.

    `tracker.name=007` is no number, a path with `=` or brackets is a path, and `prompt=echo ${HOME}` is what a shell gets. Lists and
    sweeps (-m) stay Hydra's. `${KEY}` of a setting and `${RESOLVER:...}` are interpolated in every value but the texts of PROSE.
    """
    sweeps = bool(MULTIRUN & set(words))
    return [_as_typed(command, word, sweeps) for word in words]


def _as_typed(command: str, word: str, sweeps: bool) -> str:
    key, equals, value = word.partition("=")
    name = key.lstrip("+")
    if not equals or value in ("", "null") or PLAIN.fullmatch(value) and value.lower() not in ("true", "false", "nan", "inf"):
        return word
    setting = next((one for one in settings_of(COMMANDS[command]) if is_key(one, name)), None)
    if setting is None or "text" not in setting.range:
        return word
    is_prose = name in PROSE
    literal = is_prose or not _is_interpolation(command, value)  # of a value without ${...}, too
    is_list = value[0] in "[{" or not setting.range.startswith("text")
    if QUOTED.fullmatch(value) or (is_list and setting.range not in ("text", "text or null")):
        return f"{key}={_escaped(value) if literal else value}"
    if not literal or ("${" not in value and _stays(word, sweeps, is_prose)):
        return word
    return f"{key}={as_text(value)}"


def _stays(word: str, sweeps: bool, is_prose: bool) -> bool:
    """Whether Hydra reads the value as the text that it is, as several values of a sweep, or so that it reports a forgotten -m."""
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    if override.is_sweep_override():
        return sweeps or not is_prose
    value: Any = override.value()
    return isinstance(value, str) and value == word.partition("=")[2]


def _is_interpolation(command: str, value: str) -> bool:
    """Whether every ${...} in the value names a setting, or a resolver that is known."""
    found = list(INTERPOLATION.finditer(value))
    if not found or len(found) != value.count("${"):
        return False
    keys = {setting.key for setting in settings_of(COMMANDS[command])}

    def is_known(name: str, end: str) -> bool:
        return OmegaConf.has_resolver(name) if end == ":" else name in keys or name.startswith("hydra.")

    return all(is_known(one["name"], one["end"]) for one in found)


def _escaped(value: str) -> str:
    r"""The value with ${ as \${ where it is not so already."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\$\{", r"\1\\${", value)

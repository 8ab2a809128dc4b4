"""`--help`: the groups and settings of a command, each with default, meaning, range, unit and example; `--help trainer` shows a part."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sekft.cli.settings import conf_folder
from sekft.cli.words import groups, suggestions
from sekft.config.commands import COMMANDS
from sekft.config.reference import Section, Setting, is_key, sections, shown
from sekft.errors import SettingsError

FLAGS = ("--help", "-h")
MAX_WIDTH = 100  # longer lines are hard to read
AUTOMATIC = "automatic"


def wants_help(words: Sequence[str]) -> bool:
    return any(word in FLAGS for word in words)


def help_text(command: str, words: Sequence[str] = (), width: int | None = None) -> str:
    """The help of a command. words: of the command line; those without = name groups or settings, which alone are shown.

    width: characters of a line; None: of the terminal. Raises SettingsError for a name that is no group or setting.
    """
    columns = width or min(MAX_WIDTH, shutil.get_terminal_size().columns)
    options = groups(command)
    chosen = {**options, **{key: value for key, _, value in (word.partition("=") for word in words) if value and key in options}}
    defaults = composed_defaults(command, chosen)
    topics = [word for word in words if not word.startswith("-") and "=" not in word]
    lines: list[str] = []
    if topics:
        for topic in topics:
            lines += _topic(command, topic, chosen, defaults, columns)
    else:
        lines += _usage(command, columns)
        lines += ["", "GROUPS  GROUP=OPTION chooses one of these, * is chosen; --help GROUP explains"]
        for group, option in chosen.items():
            lines += _wrapped(f"  {group:<11}", " ".join(_marked(_options(group), option)), columns)
        lines += ["", "SETTINGS  KEY=VALUE; automatic: a rule chooses it for the base, see the output"]
        order = ["", *chosen]
        for section in sorted(
            sections(COMMANDS[command]), key=lambda one: order.index(top) if (top := one.key.split(".")[0]) in order else 99
        ):
            lines += ["", *_section(section, defaults, columns)]
        lines += ["", *_footer(command)]
    return "\n".join(line.rstrip() for line in lines)


def composed_defaults(command: str, chosen: Mapping[str, str]) -> dict[str, Any]:
    """The value of every dotted key that conf/ sets for a command and these options; the fields' defaults count for the others."""
    found: dict[str, Any] = {}
    for group, option in chosen.items():
        for name in option.strip("[]").split(","):
            file = conf_folder() / group / f"{name.strip()}.yaml"
            if file.exists() and group not in ("experiment", "sweep"):
                found |= _flat(_document(file), f"{'data' if group == 'data' else group}.")
    return found | _flat(_document(conf_folder() / f"{command}.yaml"), "")


def default_of(setting: Setting, defaults: Mapping[str, Any]) -> str:
    """The default of a setting as it is typed; `automatic` where a rule chooses it."""
    free = {key.removeprefix(f"{setting.key}."): value for key, value in defaults.items() if key.startswith(f"{setting.key}.")}
    value = shown(free or defaults[setting.key]) if free or setting.key in defaults else setting.default
    if setting.is_automatic and value == "null":
        return AUTOMATIC
    return "given by the group" if value == "???" else value


def _usage(command: str, width: int) -> Iterator[str]:
    """The first comment of conf/COMMAND.yaml: what the command does, then examples."""
    yield f"python -m sekft.{command} [-m] [GROUP=OPTION ...] [KEY=VALUE ...]"
    yield ""
    for line in _comment(conf_folder() / f"{command}.yaml"):
        if line.startswith("  "):
            yield from _command(line.strip(), width)
        else:
            yield from textwrap.wrap(line, width)


def _command(line: str, width: int) -> list[str]:
    """An example, indented; its remark on a line above if both do not fit."""
    typed, _, remark = line.partition("  ")
    remark = remark.strip().lstrip("# ")
    if remark and len(typed) + len(remark) + 6 > width:
        return [*textwrap.wrap(f"# {remark}", width, initial_indent="  ", subsequent_indent="  # "), *_continued(typed, width)]
    return [f"  {typed}  # {remark}"] if remark else _continued(typed, width)


def _continued(typed: str, width: int) -> list[str]:
    """A command as lines that a shell joins again."""
    lines = textwrap.wrap(typed, width - 2, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def _topic(command: str, topic: str, chosen: Mapping[str, str], defaults: Mapping[str, Any], width: int) -> Iterator[str]:
    """A group with its options, the settings below a key, or one setting. Raises SettingsError for anything else."""
    found = False
    if topic in chosen:
        found = True
        yield f"{topic.upper()}  {topic}=OPTION chooses one of these, * is chosen"
        for option in _options(topic):
            mark = "*" if option in chosen[topic].strip("[]").split(",") else " "
            yield from _wrapped(f"{mark} {option:<18} ", " ".join(_comment(conf_folder() / topic / f"{option}.yaml", first=True)), width)
    for section in sections(COMMANDS[command]):
        own = tuple(setting for setting in section.settings if topic in (setting.key, setting.name) or is_key(setting, topic))
        below = topic == section.key or section.key.startswith(f"{topic}.")
        if below or own:
            if found:
                yield ""
            found = True
            yield from _section(section if below else Section(section.key, section.meaning, own), defaults, width)
    if not found:
        meant = [one.partition("=")[0] for one in suggestions(command, topic, "")]
        hint = f"did you mean {meant[0]}? " if meant else ""
        raise SettingsError(f"--help {topic}: no such group or setting; {hint}allowed: {', '.join(chosen)}, or any key")


def _section(section: Section, defaults: Mapping[str, Any], width: int) -> Iterator[str]:
    if section.key:
        yield from _wrapped(f"{section.key}  ", section.meaning, width, indent="  ")
    for setting in section.settings:
        default = default_of(setting, defaults)
        yield from _wrapped(f"  {setting.key}", f"= {default}", width, indent="      ")
        unit = f" [{setting.unit}]" if setting.unit else ""
        text = f"{setting.meaning}. Allowed: {setting.range}{unit}; e.g. {setting.override()}"
        yield from textwrap.wrap(text, width, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False)


def _wrapped(head: str, text: str, width: int, indent: str | None = None) -> list[str]:
    """Text after a head, its further lines indented below its beginning."""
    space = " " * len(head) if indent is None else indent
    gap = "" if head.endswith(" ") or not text else " "
    return textwrap.wrap(f"{head}{gap}{text}", width, subsequent_indent=space, break_on_hyphens=False, drop_whitespace=True) or [head]


def _footer(command: str) -> list[str]:
    return [
        f"One group:         python -m sekft.{command} --help sandbox".replace("sandbox", next(iter(groups(command)))),
        f"Several at once:   python -m sekft.{command} -m KEY=VALUE,VALUE",
        f"The whole config:  python -m sekft.{command} --cfg job",
        f'Completion:        eval "$(sekft-{command} -sc install=bash)"',
    ]


def _options(group: str) -> list[str]:
    return sorted(file.stem for file in (conf_folder() / group).glob("*.yaml"))


def _marked(options: Sequence[str], chosen: str) -> list[str]:
    names = chosen.strip("[]").split(",")
    return [f"*{option}" if option in names else option for option in options]


def _comment(file: Path, first: bool = False) -> list[str]:
    """The comment lines at the head of a file of conf/. first: without the indented lines, which are examples."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line[2:])
    return [line for line in lines if not line.startswith("  ")] if first else lines


def _document(file: Path) -> dict[str, Any]:
    """A file of conf/, with those that it names in its own defaults."""
    document: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(file)) or {}  # type: ignore[assignment]
    found: dict[str, Any] = {}
    for entry in document.pop("defaults", []):
        if isinstance(entry, dict) and file.parent != conf_folder():
            ((group, option),) = entry.items()
            if not str(group).startswith("override"):
                found[group] = _document(file.parent / group / f"{option}.yaml")
    document.pop("hydra", None)
    return found | document


def _flat(document: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found

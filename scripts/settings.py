"""Writes docs/settings.md from the types and comments in sekft/config: `python -m scripts.settings`."""

from collections.abc import Iterator
from pathlib import Path

from sekft.cli.help import composed_defaults, default_of
from sekft.cli.words import groups
from sekft.config.commands import COMMANDS
from sekft.config.reference import Section, Setting, sections

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD = """# Every setting

Written by `python -m scripts.settings` from `sekft/config/`, as `--help` is; `python -m sekft.train --help trainer` shows one group.
*automatic*: a rule chooses it for the base and the device, and `dry_run=true` prints the reason. A text or list with blanks, commas or
brackets is quoted for the shell; a text arrives as it was typed, also with `=`, backslashes and `${...}` that names no setting. `NAME`
is a name of your own, such as that of a data source.
"""
Table = tuple[Section, list[str], dict[str, object]]  # a section, the commands that have it, the defaults of the first


def main() -> None:
    PAGE.write_text(page())


def page() -> str:
    """The page: how much is explained, then every section once with the commands that have it."""
    parts = [HEAD, "## Coverage", "", *_coverage(), ""]
    for section, commands, defaults in _tables():
        title = f"`{section.key}`" if section.key else f"sekft.{commands[0]}"
        parts += [f"## {title}", "", section.meaning, ""] if section.meaning else [f"## {title}", ""]
        if section.key:
            parts += [f"Of {', '.join(f'sekft.{command}' for command in commands)}.", ""]
        parts += ["| setting | default | allowed | meaning | example |", "|---|---|---|---|---|"]
        parts += [_row(setting, default_of(setting, defaults)) for setting in section.settings]
        parts.append("")
    return "\n".join(parts)


def _coverage() -> Iterator[str]:
    yield "| command | settings | meaning | range | unit, of numbers | default | example |"
    yield "|---|---|---|---|---|---|---|"
    for command, node in COMMANDS.items():
        own = [setting for section in sections(node) for setting in section.settings]
        defaults = composed_defaults(command, groups(command))
        numbers = [setting for setting in own if "number" in setting.range]
        columns = [
            _share(sum(bool(setting.meaning) for setting in own), len(own)),
            _share(sum(bool(setting.range) for setting in own), len(own)),
            _share(sum(bool(setting.unit) for setting in numbers), len(numbers)),
            _share(sum(bool(default_of(setting, defaults)) for setting in own), len(own)),
            _share(sum(bool(setting.example) for setting in own), len(own)),
        ]
        yield f"| {command} | {len(own)} | {' | '.join(columns)} |"


def _share(count: int, of: int) -> str:
    return f"{count / of:.0%}" if of else "-"


def _tables() -> list[Table]:
    """Own settings of every command, then every group once: its commands are those that have exactly these settings there."""
    found: dict[tuple[str, tuple[Setting, ...]], Table] = {}
    for command, node in COMMANDS.items():
        defaults = composed_defaults(command, groups(command))
        for section in sections(node):
            name = (section.key or f"sekft.{command}", section.settings)
            found.setdefault(name, (section, [], defaults))[1].append(command)
    return sorted(found.values(), key=lambda table: bool(table[0].key))


def _row(setting: Setting, default: str) -> str:
    unit = f" [{setting.unit}]" if setting.unit else ""
    cells = [f"`{setting.key}`", _code(default), f"{setting.range}{unit}", setting.meaning, _code(setting.override())]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(text: str) -> str:
    return text if text == "automatic" else f"`{text}`"


if __name__ == "__main__":
    main()

"""Messages to the person at the terminal, also written to the log of the run; what only the log gets; tables that fit the terminal."""

import logging
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any


def echo(line: str) -> None:
    """Print a message and write it to the log of the run. At a terminal, lines wider than it are wrapped between words."""
    print(fitted(line, terminal_width()), flush=True)
    detail(line)


def detail(line: str) -> None:
    """Write a message to the log of the run, where a reader looks for what the terminal has no room for."""
    if logging.getLogger().handlers:
        logging.getLogger("sekft").info(line)


def echo_command(label: str, words: Sequence[str]) -> None:
    """Print a command after a label. At a terminal that is too narrow it is continued with backslashes, so that it can be copied."""
    line = f"{label}: {shlex.join(words)}"
    width = terminal_width()
    if width is None or len(line) <= width:
        print(line, flush=True)
    else:
        parts = _filled([shlex.quote(word) for word in words], width - 4)
        print(f"{label}:\n  " + " \\\n    ".join(parts), flush=True)
    detail(line)


def echo_table(table: Any) -> None:
    """Print a table of rich that is as wide as the terminal, or 80 columns where there is none; text is wrapped, never cut."""
    from rich.console import Console

    for column in table.columns:
        column.overflow = "fold"
    Console().print(table)


def terminal_width() -> int | None:
    """Characters of a line; None where standard output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(text: str, width: int | None) -> str:
    """The text with lines of at most so many characters; a word that is longer, such as a path, is left whole. None: as it is."""
    if width is None:
        return text
    options: dict[str, Any] = {"subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
    return "\n".join(part for line in text.split("\n") for part in (textwrap.wrap(line, width, **options) if len(line) > width else [line]))


def _filled(words: Sequence[str], width: int) -> list[str]:
    """The words joined to lines of at most so many characters; a longer word has a line of its own."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines

"""An interactive prompt with a history and with completion of commands, groups, options and settings."""

import os
import readline
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Event

from omegaconf import DictConfig, OmegaConf

from sekft.cli.settings import conf_folder
from sekft.config.commands import COMMANDS
from sekft.tracking.files import home_folder

SIGN = "sekft> "
HISTORY_LINES = 1000


def lines(commands: Sequence[str], history: Path | None, sign: str = SIGN) -> Iterator[str]:
    """The typed lines until Ctrl-D, or every line of standard input if it is no terminal. Ctrl-C at the prompt discards the line."""
    if not sys.stdin.isatty():
        yield from (line.rstrip("\n") for line in sys.stdin)
        return
    load_history(history)
    readline.set_completer_delims(" \t")
    readline.set_completer(completer(commands))
    readline.parse_and_bind("tab: complete")
    while True:
        try:
            line = input(sign)
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            continue
        if history:
            with suppress(OSError):  # a home that may not be written
                history.parent.mkdir(parents=True, exist_ok=True)
                readline.write_history_file(history)
        yield line


def ask(question: str, draft: str = "") -> str | None:
    """The answer to a question, None at the end of the input. draft: at a terminal, text to edit as the answer."""
    readline.set_startup_hook(lambda: readline.insert_text(draft))
    try:
        return input(question)
    except EOFError:
        print()
        return None
    finally:
        readline.set_startup_hook()


@contextmanager
def stoppable() -> Iterator[Event]:
    """An event that Ctrl-C sets; Ctrl-C has no other effect inside the block. Main thread only."""
    pressed = Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.set())
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def history_file(name: str) -> Path | None:
    """The file in $XDG_STATE_HOME/sekft, or in ~/.local/state/sekft if that is not set; None for a user without a home."""
    state, home = os.environ.get("XDG_STATE_HOME"), home_folder()
    folder = Path(state) if state else home and home / ".local" / "state"
    return folder / "sekft" / name if folder else None


def load_history(file: Path | None) -> None:
    """Read the history of earlier sessions, if there is a file that can be read."""
    readline.set_history_length(HISTORY_LINES)
    if file:
        with suppress(OSError):
            readline.read_history_file(file)


def completer(commands: Sequence[str]) -> Callable[[str, int], str | None]:
    """A completion function for readline: it returns the n-th completion of the word, None after the last."""

    def complete(word: str, number: int) -> str | None:
        before = readline.get_line_buffer()[: readline.get_begidx()].split()
        completions = candidates(before, word, commands)
        return completions[number] if number < len(completions) else None

    return complete


def candidates(before: Sequence[str], word: str, commands: Sequence[str]) -> list[str]:
    """All completions of a word: of a command at the start of a line, then of its overrides. before: the words before it in the line."""
    if not before:
        return [f"{command} " for command in commands if command.startswith(word)]
    allowed = overrides(before[0]) if before[0] in COMMANDS else ()
    return [override for override in allowed if override.startswith(word)]


@cache
def overrides(command: str) -> tuple[str, ...]:
    """The starts of all overrides of a command: `GROUP=OPTION ` with a trailing blank, and `KEY=` for every setting."""
    node = OmegaConf.structured(COMMANDS[command])
    folders = [conf_folder() / str(key) for key in node]
    options = [f"{folder.name}={file.stem} " for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.yaml"))]
    return (*options, *(f"{key}=" for key in keys(node)))


def keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    """The dotted key of every value below the node."""
    for key in map(str, node):
        value = node._get_node(key)
        if isinstance(value, DictConfig) and not value._is_none() and len(value):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"

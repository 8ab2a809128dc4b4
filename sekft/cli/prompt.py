"""A prompt for people: lines with history, and completion of commands, groups, options and settings."""

import os
import readline
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Event

from omegaconf import DictConfig, OmegaConf

from sekft.cli.settings import conf_folder
from sekft.config.commands import COMMANDS

SIGN = "sekft> "
KEPT = 1000  # lines of history


def lines(commands: Sequence[str], history: Path, sign: str = SIGN) -> Iterator[str]:
    """What is typed behind the sign, until Ctrl-D; without a terminal every line of the input. Ctrl-C at the prompt drops the line."""
    if not sys.stdin.isatty():
        yield from (line.rstrip("\n") for line in sys.stdin)
        return
    with_history(history)
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
        history.parent.mkdir(parents=True, exist_ok=True)
        readline.write_history_file(history)
        yield line


def ask(question: str, draft: str = "") -> str | None:
    """One answer, None at the end of the input. draft: stands there already, at a terminal, to be changed."""
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
    """Set by Ctrl-C, which stops nothing else meanwhile. For the main thread."""
    pressed = Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.set())
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def history_file(name: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "sekft" / name


def with_history(file: Path) -> None:
    readline.set_history_length(KEPT)
    if file.exists():
        readline.read_history_file(file)


def completer(commands: Sequence[str]) -> Callable[[str, int], str | None]:
    """For readline: the n-th way to go on with the word, or None."""

    def complete(word: str, number: int) -> str | None:
        before = readline.get_line_buffer()[: readline.get_begidx()].split()
        found = candidates(before, word, commands)
        return found[number] if number < len(found) else None

    return complete


def candidates(before: Sequence[str], word: str, commands: Sequence[str]) -> list[str]:
    """before: the words of the line so far. A command comes first, then what its command can be told."""
    if not before:
        return [f"{command} " for command in commands if command.startswith(word)]
    told = overrides(before[0]) if before[0] in COMMANDS else ()
    return [one for one in told if one.startswith(word)]


@cache
def overrides(command: str) -> tuple[str, ...]:
    """GROUP=OPTION with a blank behind it, and KEY= of every setting."""
    node = OmegaConf.structured(COMMANDS[command])
    folders = [conf_folder() / str(key) for key in node]
    options = [f"{folder.name}={file.stem} " for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.yaml"))]
    return (*options, *(f"{key}=" for key in keys(node)))


def keys(node: DictConfig, above: str = "") -> Iterator[str]:
    """Of every value, with dots."""
    for key in map(str, node):
        value = node._get_node(key)
        if isinstance(value, DictConfig) and not value._is_none() and len(value):
            yield from keys(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"

"""Records a command in a terminal of 80 columns: `python -m scripts.record docs/terminal/NAME COMMAND...` (needs `pip install pyte`).

Writes NAME.cast, an asciicast v2 file with real times (`asciinema play NAME.cast`), and NAME.svg, what the terminal shows at the end with
all that has scrolled out of it.
"""

import fcntl
import io
import json
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

COLUMNS, LINES, HISTORY = 80, 24, 1000
FRAME_S = 0.5  # output that comes within it is one event, with the last state of a progress line only
REDRAW = "\r\x1b[2K"


def main() -> None:
    target, command = Path(sys.argv[1]), sys.argv[2:]
    prompt = f"$ {shlex.join(command)}".replace("'", "")
    events = [(0.0, prompt + "\r\n"), *frames(run(command))]
    header = {"version": 2, "width": COLUMNS, "height": LINES, "title": prompt[2:]}
    lines = [json.dumps(header), *(json.dumps([round(at, 3), "o", text], ensure_ascii=False) for at, text in events)]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".cast").write_text("\n".join(lines) + "\n", "utf-8")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in screen("".join(text for _, text in events)):
        console.print(line, overflow="crop", no_wrap=True)
    target.with_suffix(".svg").write_text(console.export_svg(title=prompt[2:]), "utf-8")


def run(command: list[str]) -> Iterator[tuple[float, str]]:
    """(seconds since the start, output) of a command at a pseudo-terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    started, environment = time.monotonic(), {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    rest = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the command has ended
            break
        text = (rest + chunk).decode("utf-8", "ignore")
        rest = (rest + chunk)[len(text.encode()) :]
        yield time.monotonic() - started, text
    if process.wait():
        sys.exit(f"{shlex.join(command)}: exit status {process.returncode}")


def frames(events: Iterator[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """The events, those within FRAME_S of each other joined."""
    began, joined = 0.0, ""
    for at, text in events:
        if joined and at - began > FRAME_S:
            yield began, _last_state(joined)
            joined = ""
        began, joined = (began if joined else at), joined + text
    yield began, _last_state(joined)


def _last_state(text: str) -> str:
    first, *redrawn = text.split(REDRAW)
    return REDRAW.join([first, *(state for state in redrawn[:-1] if "\n" in state), *redrawn[-1:]])


def screen(output: str) -> Iterator[Text]:
    """The lines of a terminal after this output, oldest first, with their colours."""
    terminal = pyte.HistoryScreen(COLUMNS, LINES, history=HISTORY, ratio=0.5)
    pyte.Stream(terminal).feed(output)
    rows = [*terminal.history.top, *(terminal.buffer[number] for number in range(LINES))]
    lines = [_line(row) for row in rows]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    yield from lines


def _line(row: "pyte.screens.StaticDefaultDict[int, pyte.screens.Char]") -> Text:
    line = Text()
    for column in range(COLUMNS):
        character = row[column]
        colour = character.fg.replace("brown", "yellow").replace("bright", "bright_")
        style = " ".join(filter(None, ["bold" * character.bold, "" if colour == "default" else _name(colour)]))
        line.append(character.data, style)
    line.rstrip()
    return line


def _name(colour: str) -> str:
    return f"#{colour}" if len(colour) == 6 and all(digit in "0123456789abcdef" for digit in colour) else colour


if __name__ == "__main__":
    main()

"""The last line of a command that fails by an error nobody expected: one line, the full trace in a file, exit status 70.

Imports nothing outside the standard library, as it also answers for errors while sekft is imported.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EXIT_STATUS = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 128 + signal.SIGINT  # exit status
TRACE = "crash.log"
LONGEST = 300  # characters of a message in the line; the file has all of it
PACKAGE = Path(__file__).resolve().parent


def line(error: BaseException, folder: Path | None, where: str = "") -> str:
    """Write the trace of an error into a file and return the line that names type, message, place and file.

    folder: of the run; None if it has none yet, and the trace goes into the folder for temporary files. where: as " in thread NAME".
    """
    kind, message = type(error).__name__, text(error)
    message = message if len(message) <= LONGEST else f"{message[:LONGEST]}..."
    said = kind if message == kind else f"{kind}: {message}"
    file = _write(error, folder)
    trace = f"full trace in {file}" if file else "its trace could not be written, as no folder for it can be"
    return f"internal error{where}: {said} at {place(error)}; {trace}; please report"


def text(error: BaseException) -> str:
    """The message of an error in one line, or the name of its class if it has none that can be had."""
    try:
        found = " ".join(str(error).split()) or type(error).__name__
    except Exception:
        return type(error).__name__
    return found.encode("utf-8", "backslashreplace").decode()  # bytes of a file name that are no UTF-8 cannot be printed or stored


def place(error: BaseException) -> str:
    """file:line of the last call in sekft's own code, else of the last call at all."""
    frames = list(_frames(error.__traceback__))
    own = [(file, number) for file, number in frames if file.is_relative_to(PACKAGE)]
    if not frames:
        return "an unknown place"
    file, number = (own or frames)[-1]
    return f"{file.relative_to(PACKAGE.parent) if own else file}:{number}"


def answer_for_start() -> None:
    """Let an error before the main function of a command, or a Ctrl-C while it is imported, end in one line, too.

    Does nothing unless this process is one of our commands: a program that imports sekft keeps its own hook.
    """
    program = _program(sys.argv[:1], sys.orig_argv)
    if not program:
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            print(f"{program}: interrupted", file=sys.stderr, flush=True)
            raise SystemExit(INTERRUPTED)
        print(f"{program}: {line(error, None)}", file=sys.stderr, flush=True)
        raise SystemExit(EXIT_STATUS)

    sys.excepthook = hook


def _program(argv: list[str], words: list[str]) -> str:
    """The name of the command that Python is starting, as sekft.train; empty in another program.

    argv: sys.argv at this moment, ["-m"] while Python looks for the module of `python -m`. words: the command line of the interpreter.
    """
    if argv == ["-m"]:
        return next((word for word in words[1:] if word.partition(".")[0] == "sekft"), "")
    script = Path(*argv).name
    return script.replace("-", ".") if script.partition("-")[0] == "sekft" else ""


def _frames(trace: TracebackType | None) -> "Iterable[tuple[Path, int]]":
    while trace is not None:
        yield Path(trace.tb_frame.f_code.co_filename), trace.tb_lineno
        trace = trace.tb_next


def _write(error: BaseException, folder: Path | None) -> Path | None:
    """The file with the trace, in the folder if there is one that can be written, else in that for temporary files; None for neither."""
    import shlex
    import tempfile
    import traceback
    from datetime import UTC, datetime

    with suppress(Exception):
        head = f"{datetime.now(UTC).isoformat(timespec='seconds')}  {shlex.join(sys.orig_argv)}\nPython {sys.version}\n\n"
        trace = head + "".join(traceback.format_exception(error))
        temporary = Path(tempfile.gettempdir()) / f"sekft-{os.getpid()}-{TRACE}"
        for file in (*([folder / TRACE] if folder and folder.is_dir() else []), temporary):
            with suppress(OSError):
                file.write_text(trace, encoding="utf-8", errors="backslashreplace")
                return file
    return None

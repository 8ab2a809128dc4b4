"""The session's shell over a byte stream: types a text, detects its end, its status and how the session ended.

The prompts are the markers: PS1 and PS2 contain a nonce, so that the shell itself reports the end of a command, its status, or that it
waits for another line, without an extra command. A backend provides the stream and a function that sends signals.
"""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from sekft.errors import SandboxError
from sekft.sandbox.session import ShellTurn, TurnKind
from sekft.sandbox.text import OutputBuffer, typeable

PANIC_STATUS = 86
START_S = 20.0
_GRACE_S = 0.7  # per step of an interrupt; INT took 0.1 s, KILL under load 0.9 s in two steps
_LAST_WORDS_S = 0.5  # time for a program to end after it called panic
_LONGEST_MARK = 2048  # bytes; the argument of panic is cut to 400 characters

Signal = Callable[[str, int], None]
"""signal(name, shell_pid): sent to every process of the agent; KILL spares the shell and continues it. May raise SandboxError."""


class Stream(Protocol):
    """The shell's input and output. send and pump raise OSError if the other end is gone."""

    def send(self, data: bytes) -> None: ...

    def pump(self, wait_s: float) -> bytes | None:
        """The output that came within wait_s, possibly empty; None at its end."""

    def exit_code(self) -> int | None:
        """Exit status of the shell; None while it runs. Raises SandboxError if it is unknown."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class _Event:
    """Why waiting ended. status: exit status; the shell's pid for hello, the number of the mark for synced."""

    kind: TurnKind | Literal["timeout", "flood", "hello", "synced"]
    status: int | None = None
    reason: str = ""


_KINDS: dict[str, TurnKind] = {
    "ready": "ready",
    "more": "more",
    "exit": "exit",
    "panic": "panic",
    "gone": "gone",
    "lost": "lost",
    "broken": "broken",
    "timeout": "lost",  # this and the next three occur only if the agent forges our marks
    "flood": "lost",
    "hello": "lost",
    "synced": "lost",
}


class Shell:
    """An interactive dash that reads from a pipe. run() never raises: trouble with the engine is a turn of kind broken."""

    def __init__(self, stream: Stream, signal: Signal, flood_bytes: int) -> None:
        self._stream, self._signal = stream, signal
        self._flood_bytes = flood_bytes
        self._nonce = secrets.token_hex(8)
        nonce = self._nonce.encode()
        # PS2 has $?, too, and _token requires digits: otherwise the output of `set`, with the raw variables, would look like a prompt.
        self._ps1, self._ps2 = (b"\x1e%s:%d:$?:\x1f" % (nonce, number) for number in (1, 2))
        self._trap = b'printf "\\036%s:9:%%d:\\037" $? >&8' % nonce
        # Bounded, and no mark starts inside another: a flood of half marks took minutes, and a status of 6,000 digits is no int.
        self._token = re.compile(rb"\x1e(?:%s:(\d):(\d{1,9}):|panic:((?:[^\x1e\x1f]|\x1e(?!panic:|%s:)){0,1600}+))\x1f" % (nonce, nonce))
        self._pending = b""
        self._pid = 0
        self._panicked: str | None = None
        self._syncs = 0
        self.ended: TurnKind | None = None

    def start(self) -> None:
        """Wait for the shell and set its markers. Raises SandboxError."""
        try:
            self._stream.send(self._greeting())
            while (event := self._wait(OutputBuffer(64), START_S)).kind == "hello":
                self._pid = event.status or 0
        except OSError as error:
            raise SandboxError(f"the session shell went away at its start: {error}") from None
        if event.kind != "ready" or not self._pid:
            raise SandboxError(f"the session shell gave no prompt within {START_S:.0f} s ({event.kind} {event.reason})".rstrip())

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        """Type a text line by line, each at a prompt; stop after a line that ends the session or is interrupted."""
        if self.ended:
            return ShellTurn("", "broken", reason=f"typed after the end of the episode ({self.ended})")
        lines = typeable(text).removesuffix("\n").split("\n")
        output, event, interrupted, fed = OutputBuffer(), _Event("ready"), "", 0
        try:
            for line in lines:
                fed += 1
                self._stream.send(line.encode() + b"\n")
                event = self._wait(output, timeout_s, self._flood_bytes)
                if event.kind in ("timeout", "flood"):
                    interrupted, event = event.kind, self._interrupt(output)
                if interrupted or event.kind not in ("ready", "more"):
                    break
        except OSError:
            event = self._ended()  # the shell ended while a line was sent to it
        except SandboxError as error:
            event = _Event("broken", reason=str(error))
        return self._turn(output, event, interrupted, len(lines) - fed)

    def close(self) -> None:
        self._stream.close()

    def _turn(self, output: OutputBuffer, event: _Event, interrupted: str, dropped_lines: int) -> ShellTurn:
        kind = _KINDS[event.kind]
        if kind not in ("ready", "more"):
            self.ended = kind
        text, cut = output.text()
        return ShellTurn(text, kind, event.status, cut, dropped_lines, interrupted, event.reason)

    def _greeting(self) -> bytes:
        """The first line, which no agent sees. Descriptor 8 stays the session's output whatever the agent does to 1 and 2."""
        return (
            b"exec 3<&- 8>&1; panic() { /usr/bin/panic \"$@\"; exit %d; }; PS1='%s' PS2='%s'; "
            b"trap '%s' EXIT; printf '\\036%s:0:%%d:\\037' $$\n" % (PANIC_STATUS, self._ps1, self._ps2, self._trap, self._nonce.encode())
        )

    def _wait(self, output: OutputBuffer, timeout_s: float, flood_bytes: int | None = None) -> _Event:
        """Read until the next event; everything before it is added to output."""
        end = time.monotonic() + timeout_s
        while True:
            if event := self._next(output):
                return event
            if flood_bytes is not None and output.total_bytes > flood_bytes:
                return _Event("flood")
            if self._panicked is not None:
                end = min(end, time.monotonic() + _LAST_WORDS_S)
            left = end - time.monotonic()
            if left <= 0:
                return self._panic() if self._panicked is not None else _Event("timeout")
            chunk = self._stream.pump(min(left, 1.0))
            if chunk is None:
                output.add(self._plain(self._pending))
                self._pending = b""
                return self._ended()
            self._pending += chunk

    def _next(self, output: OutputBuffer) -> _Event | None:
        """The event of the next mark in what was read. Without one, everything that cannot start a mark is added to output."""
        while match := self._token.search(self._pending):
            before, self._pending = self._pending[: match.start()], self._pending[match.end() :]
            if self._panicked is None:  # output after panic is not shown
                output.add(self._plain(before))
            if match[3] is not None:
                self._panicked = match[3].decode("utf-8", "replace") if self._panicked is None else self._panicked
                continue
            number, status = int(match[1]), int(match[2])
            if self._panicked is not None:
                return self._panic()
            kinds: dict[int, TurnKind | Literal["hello", "synced"]] = {0: "hello", 1: "ready", 2: "more", 5: "synced", 9: "exit"}
            if kind := kinds.get(number):
                return _Event(kind, None if kind == "more" else status)
        start = self._pending.rfind(b"\x1e")
        if start < 0 or len(self._pending) - start > _LONGEST_MARK:
            start = len(self._pending)
        if self._panicked is None:
            output.add(self._plain(self._pending[:start]))
        self._pending = self._pending[start:]
        return None

    def _plain(self, data: bytes) -> bytes:
        """The output without our markers and trap, which `set` and `trap` would show to the agent."""
        if self._nonce.encode() in data:
            data = data.replace(b"trap -- '%s' EXIT\n" % self._trap, b"")
            data = data.replace(self._ps1, b"$ ").replace(self._ps2, b"> ")
        return data

    def _panic(self) -> _Event:
        return _Event("panic", PANIC_STATUS, " ".join((self._panicked or "").split()))

    def _ended(self) -> _Event:
        """The event of an output that ended without an exit mark: the shell was replaced or killed, or has closed its output."""
        if self._panicked is not None:
            return self._panic()
        try:
            status = self._stream.exit_code()
        except SandboxError as error:
            return _Event("broken", reason=str(error))
        if status is None:
            return _Event("lost", reason="the shell runs on out of reach")
        return _Event("gone", status)

    def _interrupt(self, output: OutputBuffer) -> _Event:
        """Send INT, then KILL to all but the shell, then reset the prompt; stop at the first step that brings a prompt back."""
        reset = b"exec 1>&8 2>&8; PS1='%s' PS2='%s'\n" % (self._ps1, self._ps2)
        steps: tuple[Callable[[], None], ...] = (
            lambda: self._signal("INT", self._pid),
            lambda: self._signal("KILL", self._pid),
            lambda: self._stream.send(reset),
        )
        for step in steps:
            step()
            event = self._wait(output, _GRACE_S)
            if event.kind == "ready":
                event = self._synchronise(event, output)
            if event.kind not in ("timeout", "more"):
                return event
        return _Event("lost", reason="no prompt came back after INT and KILL")

    def _synchronise(self, ready: _Event, output: OutputBuffer) -> _Event:
        """Drop a second prompt: the command may have ended by itself just before the signal reached the idle shell."""
        self._syncs += 1
        status = ready.status or 0
        sync = b"PS2='%s'; printf '\\036%s:5:%d:\\037'; (exit %d)\n"  # without PS2 every unfinished line would wait for its time limit
        self._stream.send(sync % (self._ps2, self._nonce.encode(), self._syncs, status))
        synced = False
        for _ in range(100):  # more prompts than these are forged
            event = self._wait(output, _GRACE_S)
            if event.kind == "synced" and event.status == self._syncs:
                synced = True
            elif event.kind != "ready" or synced:
                return event
        return _Event("lost", reason="prompts came without end")

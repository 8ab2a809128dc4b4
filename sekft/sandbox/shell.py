"""One shell session over a byte stream: type a text, know when it is done, with what status, and how it ended.

The prompt is the marker: PS1 and PS2 carry a nonce, so the shell itself reports the end of a command, its status and
the wish for another line, at no extra command. Backend-neutral: a backend gives the stream and a way to send signals.
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
_GRACE_S = 0.7  # a rung of the interrupt ladder; INT took 0.1 s, KILL under load 0.9 s for two rungs
_LAST_WORDS_S = 0.5  # what a program that panicked may still do
_LONGEST_MARK = 2048  # bytes: panic's reason is at most 400 characters

Signal = Callable[[str, int], None]
"""signal(name, shell_pid): to every process of the agent; KILL spares the shell and wakes it. May raise SandboxError."""


class Stream(Protocol):
    """The shell's commands and output. send and pump raise OSError when the far end is gone."""

    def send(self, data: bytes) -> None: ...

    def pump(self, wait_s: float) -> bytes | None:
        """What came within wait_s, possibly nothing; None at the end of the output."""

    def exit_code(self) -> int | None:
        """Of the shell; None while it runs. Raises SandboxError when the engine cannot say."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class _Event:
    """Why waiting ended. synced: the number of a synchronisation mark."""

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
    "timeout": "lost",  # the last four only if a session forges our marks
    "flood": "lost",
    "hello": "lost",
    "synced": "lost",
}


class Shell:
    """An interactive dash in pipe mode. Never raises out of run: engine trouble is a ShellTurn of kind broken."""

    def __init__(self, stream: Stream, signal: Signal, flood_bytes: int) -> None:
        self._stream, self._signal = stream, signal
        self._flood_bytes = flood_bytes
        self._nonce = secrets.token_hex(8)
        nonce = self._nonce.encode()
        # PS2 has $? too, and the token demands digits: else `set`, which prints the raw variables, would pass for a prompt.
        self._ps1, self._ps2 = (b"\x1e%s:%d:$?:\x1f" % (nonce, number) for number in (1, 2))
        self._trap = b'printf "\\036%s:9:%%d:\\037" $? >&8' % nonce
        # Bounded, and no mark begins inside another: else a flood of half-made marks costs us minutes, and one of 6,000 digits an int.
        self._token = re.compile(rb"\x1e(?:%s:(\d):(\d{1,9}):|panic:((?:[^\x1e\x1f]|\x1e(?!panic:|%s:)){0,1600}+))\x1f" % (nonce, nonce))
        self._pending = b""
        self._pid = 0
        self._panicked: str | None = None
        self._syncs = 0
        self.over: TurnKind | None = None

    def start(self) -> None:
        """Wait for the shell and teach it the markers. Raises SandboxError."""
        try:
            self._stream.send(self._greeting())
            while (event := self._wait(OutputBuffer(64), START_S)).kind == "hello":
                self._pid = event.status or 0
        except OSError as error:
            raise SandboxError(f"the session shell went away at its start: {error}") from None
        if event.kind != "ready" or not self._pid:
            raise SandboxError(f"the session shell gave no prompt within {START_S:.0f} s ({event.kind} {event.reason})".rstrip())

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        """Type a text line by line, each at a prompt; stop at the first line that ends or overruns."""
        if self.over:
            return ShellTurn("", "broken", reason=f"typed after the end of the episode ({self.over})")
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
            event = self._ended()  # a shell that goes away while a line is on its way to it
        except SandboxError as error:
            event = _Event("broken", reason=str(error))
        return self._turn(output, event, interrupted, len(lines) - fed)

    def close(self) -> None:
        self._stream.close()

    def _turn(self, output: OutputBuffer, event: _Event, interrupted: str, dropped_lines: int) -> ShellTurn:
        kind = _KINDS[event.kind]
        if kind not in ("ready", "more"):
            self.over = kind
        text, cut = output.text()
        return ShellTurn(text, kind, event.status, cut, dropped_lines, interrupted, event.reason)

    def _greeting(self) -> bytes:
        """The first line typed, unseen. OutputBuffer 8 stays the session's own whatever is done to 1 and 2."""
        return (
            b"exec 3<&- 8>&1; panic() { /usr/bin/panic \"$@\"; exit %d; }; PS1='%s' PS2='%s'; "
            b"trap '%s' EXIT; printf '\\036%s:0:%%d:\\037' $$\n" % (PANIC_STATUS, self._ps1, self._ps2, self._trap, self._nonce.encode())
        )

    def _wait(self, output: OutputBuffer, timeout_s: float, flood_bytes: int | None = None) -> _Event:
        """Read on until something is known. Everything before it goes to output."""
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
        """The next mark in what was read; without one, all that cannot be the beginning of a mark is put out."""
        while match := self._token.search(self._pending):
            before, self._pending = self._pending[: match.start()], self._pending[match.end() :]
            if self._panicked is None:  # what follows panic is not shown
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
        """Without what `set` and `trap` print of us: the agent never sees the harness."""
        if self._nonce.encode() in data:
            data = data.replace(b"trap -- '%s' EXIT\n" % self._trap, b"")
            data = data.replace(self._ps1, b"$ ").replace(self._ps2, b"> ")
        return data

    def _panic(self) -> _Event:
        return _Event("panic", PANIC_STATUS, " ".join((self._panicked or "").split()))

    def _ended(self) -> _Event:
        """The output ended without an exit mark: replaced, killed, or hidden from us for good."""
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
        """INT, then KILL of all but the shell, then the prompt set anew; the first rung that brings a prompt back."""
        reset = b"exec 1>&8 2>&8; PS1='%s' PS2='%s'\n" % (self._ps1, self._ps2)
        rungs: tuple[Callable[[], None], ...] = (
            lambda: self._signal("INT", self._pid),
            lambda: self._signal("KILL", self._pid),
            lambda: self._stream.send(reset),
        )
        for rung in rungs:
            rung()
            event = self._wait(output, _GRACE_S)
            if event.kind == "ready":
                event = self._synchronise(event, output)
            if event.kind not in ("timeout", "more"):
                return event
        return _Event("lost", reason="no prompt came back after INT and KILL")

    def _synchronise(self, ready: _Event, output: OutputBuffer) -> _Event:
        """Eat prompts that came twice: the command may have ended by itself just before the signal reached an idle shell."""
        self._syncs += 1
        status = ready.status or 0
        sync = b"PS2='%s'; printf '\\036%s:5:%d:\\037'; (exit %d)\n"  # a PS2 taken away would cost a time limit each time
        self._stream.send(sync % (self._ps2, self._nonce.encode(), self._syncs, status))
        synced = False
        for _ in range(100):  # more prompts than that are forged
            event = self._wait(output, _GRACE_S)
            if event.kind == "synced" and event.status == self._syncs:
                synced = True
            elif event.kind != "ready" or synced:
                return event
        return _Event("lost", reason="prompts came without end")

"""The deployed text, version 1: what an agent reads after typing. Training, evaluation and serving use it and no other."""

import re
from typing import Self

from sekft.sandbox.session import TurnKind

TEXT_VERSION = 1
PROMPT = "$ "
CONTINUATION = "> "
KEEP_BYTES = 4096  # of one output: half from the head, half from the tail

_PROMPTS: dict[str, str] = {"ready": PROMPT, "more": CONTINUATION}
# The session shell reads its commands from /dev/fd/3, so dash calls itself that. Its line number counts every line typed
# so far: it would make the text of a command depend on how many were typed before, so it goes as well.
_SELF = re.compile(r"/dev/fd/3: (?:\d+: )?")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_OVERSTRIKE = re.compile(r"[^\n]\x08")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def environment_turn(output: str, kind: TurnKind) -> str:
    """OutputBuffer, a newline if it lacks one, the prompt. An episode that ended shows no prompt, and may show nothing."""
    prompt = _PROMPTS.get(kind, "")
    if output and not output.endswith("\n"):
        output += "\n"
    return output + prompt


def typeable(text: str) -> str:
    """The text as the shell gets it: no control characters but newline and tab, always encodable."""
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def clean_output(raw: bytes, keep_bytes: int = KEEP_BYTES) -> tuple[str, int]:
    """The output as deployed, and how many bytes were cut from its middle."""
    return OutputBuffer(keep_bytes).add(raw).text()


class OutputBuffer:
    """Collects one output of any length in bounded memory: half of keep_bytes from its head, half from its tail."""

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self._half = max(keep_bytes // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self.total_bytes = 0

    def add(self, data: bytes) -> Self:
        self.total_bytes += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 8 * self._half + 65536:  # trimmed seldom: trimming at each chunk is quadratic
            del self._tail[: -self._half]
        return self

    def text(self) -> tuple[str, int]:
        """(text, cut_bytes). Cuts never split a character of UTF-8."""
        tail = bytes(self._tail[-self._half :])
        if self.total_bytes <= 2 * self._half:
            return _clean(bytes(self._head) + tail), 0
        head = _without_open_character(bytes(self._head))
        tail = tail.lstrip(bytes(range(0x80, 0xC0)))
        cut = self.total_bytes - len(head) - len(tail)
        first, last = _clean(head), _clean(tail)
        return f"{first}{'' if first.endswith(chr(10)) else chr(10)}[... {cut} bytes cut ...]\n{last}", cut


def _clean(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n")
    text = _OVERSTRIKE.sub("", _ESCAPE.sub("", text))
    return _SELF.sub("sh: ", _CONTROL.sub("", text))


def _without_open_character(head: bytes) -> bytes:
    for back in range(1, min(4, len(head)) + 1):
        byte = head[-back]
        if byte & 0xC0 == 0x80:
            continue
        wants = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return head[:-back] if wants > back else head
    return head

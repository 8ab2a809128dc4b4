"""The deployed text, version 1: what an agent reads after typing, in training, evaluation and serving alike."""

import re
from typing import Self

from sekft.sandbox.session import TurnKind

TEXT_VERSION = 1
PROMPT = "$ "
CONTINUATION = "> "
KEEP_BYTES = 4096  # kept of one output: half from the head, half from the tail

_PROMPTS: dict[str, str] = {"ready": PROMPT, "more": CONTINUATION}
# dash names itself after its input, /dev/fd/3. The line number behind it counts all lines typed so far; it is removed, too, because
# the error of a command must not depend on how many were typed before.
_SHELL_NAME = re.compile(r"/dev/fd/3: (?:\d+: )?")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_OVERSTRIKE = re.compile(r"[^\n]\x08")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def environment_turn(output: str, kind: TurnKind) -> str:
    """The output, a newline if it lacks one, the prompt. There is no prompt for a kind that ends the episode."""
    prompt = _PROMPTS.get(kind, "")
    if output and not output.endswith("\n"):
        output += "\n"
    return output + prompt


def typeable(text: str) -> str:
    """The text as it is typed: without control characters but newline and tab, and always encodable."""
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def clean_output(raw: bytes, keep_bytes: int = KEEP_BYTES) -> tuple[str, int]:
    """(output as deployed, bytes cut from its middle)."""
    return OutputBuffer(keep_bytes).add(raw).text()


class OutputBuffer:
    """One output of any length in bounded memory: half of keep_bytes from its head, half from its tail."""

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
        if len(self._tail) > 8 * self._half + 65536:  # trimmed rarely: trimming after each chunk takes quadratic time
            del self._tail[: -self._half]
        return self

    def text(self) -> tuple[str, int]:
        """(text, bytes cut from its middle). Cuts never split a UTF-8 character."""
        tail = bytes(self._tail[-self._half :])
        if self.total_bytes <= 2 * self._half:
            return _clean(bytes(self._head) + tail), 0
        head = _without_partial_character(bytes(self._head))
        tail = tail.lstrip(bytes(range(0x80, 0xC0)))
        cut = self.total_bytes - len(head) - len(tail)
        first, last = _clean(head), _clean(tail)
        return f"{first}{'' if first.endswith(chr(10)) else chr(10)}[... {cut} bytes cut ...]\n{last}", cut


def _clean(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n")
    text = _OVERSTRIKE.sub("", _ESCAPE.sub("", text))
    return _SHELL_NAME.sub("sh: ", _CONTROL.sub("", text))


def _without_partial_character(head: bytes) -> bytes:
    for back in range(1, min(4, len(head)) + 1):
        byte = head[-back]
        if byte & 0xC0 == 0x80:
            continue
        wants = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return head[:-back] if wants > back else head
    return head

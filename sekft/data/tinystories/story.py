"""Reads records of TinyStories-Instruct text: labelled fields in any order, up to `<|endoftext|>`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sekft.data.lines import read_lines
from sekft.data.reader import ReadStats

END = "<|endoftext|>"
LABELS = ("Features", "Words", "Summary", "Random sentence", "Story")
FIELD = re.compile(rf"^({'|'.join(LABELS)}):[ \t]*", re.M)


@dataclass(frozen=True)
class Story:
    """The fields of one record."""

    text: str
    summary: str = ""
    features: tuple[str, ...] = ()  # in the order of the record
    words: tuple[str, ...] = ()  # that the story should use
    sentence: str = ""  # that the story should hold

    @property
    def id(self) -> str:
        return sha256(self.text.encode()).hexdigest()[:12]


def stories(files: Sequence[Path], max_bytes: int, stats: ReadStats) -> Iterator[Story]:
    """Every record with a story and a summary; others are skipped in stats.

    Rejected in stats: a repeated field, a missing end, text that is not UTF-8 or over max_bytes.
    """
    for file in files:
        record: list[str] = []
        start = 1
        for line in read_lines([file], max_bytes, stats):
            number = int(line.location.rpartition(":")[2])
            try:
                text = line.text.decode("utf-8")
            except UnicodeDecodeError as error:
                stats.reject(line.location, f"not UTF-8: byte 0x{line.text[error.start]:02x} at {error.start}")
                continue
            start = start if record else number
            before, end, after = text.partition(END)
            record.append(before)
            if sum(map(len, record)) > max_bytes:
                stats.reject(f"{file}:{start}", f"a record of more than {max_bytes} bytes; allowed: max_line_bytes={max_bytes}")
                record = []
            elif end:
                yield from _read(record, f"{file}:{start}", stats)
                record = [after] if after.strip() else []
        if "".join(record).strip():
            stats.reject(f"{file}:{start}", f"a record without {END}; allowed: one at the end of every record")


def _read(record: Sequence[str], location: str, stats: ReadStats) -> Iterator[Story]:
    text = "\n".join(record).strip()
    if "\0" in text:
        stats.reject(location, f"a NUL at {text.index(chr(0))} of the record; allowed: text without NUL")
        return
    found = fields(text)
    repeated = [label for label, values in found.items() if len(values) > 1]
    if repeated:
        stats.reject(location, f"{repeated[0]}: {len(found[repeated[0]])} times in one record; allowed: once")
    elif missing := [label for label in ("Story", "Summary") if not found.get(label, [""])[0]]:
        stats.skip(f"no {missing[0].lower()}")
    else:
        yield _story({label: values[0] for label, values in found.items()})


def fields(text: str) -> dict[str, list[str]]:
    """The texts by label: from each label to the next one."""
    marks = list(FIELD.finditer(text))
    found: dict[str, list[str]] = {}
    for mark, end in zip(marks, [*(mark.start() for mark in marks[1:]), len(text)], strict=True):
        found.setdefault(mark[1], []).append(text[mark.end() : end].strip())
    return found


def _story(found: dict[str, str]) -> Story:
    def listed(label: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in found.get(label, "").split(",") if part.strip())

    summary = " ".join(found["Summary"].split())
    return Story(found["Story"], summary, listed("Features"), listed("Words"), found.get("Random sentence", ""))

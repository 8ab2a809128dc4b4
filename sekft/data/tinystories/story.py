"""A record of TinyStories-Instruct: labelled fields in any order, up to `<|endoftext|>`."""

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
    """features, words: as listed, in order; sentence: the one that had to occur, or nothing."""

    text: str
    summary: str = ""
    features: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    sentence: str = ""

    @property
    def id(self) -> str:
        return sha256(self.text.encode()).hexdigest()[:12]


def stories(files: Sequence[Path], max_bytes: int, stats: ReadStats) -> Iterator[Story]:
    """Every record with a story and a summary. Refused: a field that stands twice, an end that is missing, what is not UTF-8."""
    for file in files:
        record: list[str] = []
        start = 1
        for line in read_lines([file], max_bytes, stats):
            number = int(line.where.rpartition(":")[2])
            try:
                text = line.text.decode("utf-8")
            except UnicodeDecodeError as error:
                stats.reject(line.where, f"not UTF-8: byte 0x{line.text[error.start]:02x} at {error.start}")
                continue
            start = start if record else number
            before, end, after = text.partition(END)
            record.append(before)
            if sum(map(len, record)) > max_bytes:
                stats.reject(f"{file}:{start}", f"a record of more than max_line_bytes={max_bytes}")
                record = []
            elif end:
                yield from _read(record, f"{file}:{start}", stats)
                record = [after] if after.strip() else []
        if "".join(record).strip():
            stats.reject(f"{file}:{start}", f"a record without its {END}")


def _read(record: Sequence[str], where: str, stats: ReadStats) -> Iterator[Story]:
    text = "\n".join(record).strip()
    if "\0" in text:
        stats.reject(where, f"a NUL at {text.index(chr(0))} of the record")
        return
    found = fields(text)
    twice = [label for label, values in found.items() if len(values) > 1]
    if twice:
        stats.reject(where, f"{twice[0]}: {len(found[twice[0]])} times in one record")
    elif lacking := [label for label in ("Story", "Summary") if not found.get(label, [""])[0]]:
        stats.skip(f"no {lacking[0].lower()}")
    else:
        yield _story({label: values[0] for label, values in found.items()})


def fields(text: str) -> dict[str, list[str]]:
    """Label -> what stands behind it up to the next label."""
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

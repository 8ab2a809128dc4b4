"""Lines of JSON, plain or gzipped, one at a time: whatever is wrong with one is said in a line of its own."""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar, cast

from pydantic import BaseModel, ValidationError

from sekft.data.reader import ReadStats
from sekft.errors import DataError, validation_line

JSONL = (".jsonl", ".jsonl.gz")
CHUNK = 1 << 20
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Line:
    where: str  # file:number
    text: bytes


def read_records(files: Sequence[Path], model: type[T], max_bytes: int, stats: ReadStats) -> Iterator[tuple[str, T]]:
    """(where, record) of every line that is one; the others are refused. Raises DataError for a file that holds no line."""
    for line in read_lines(files, max_bytes, stats):
        if (record := parse_line(line, model, stats)) is not None:
            yield line.where, record


def read_lines(files: Sequence[Path], max_bytes: int, stats: ReadStats) -> Iterator[Line]:
    """Every line that is not blank and not too long."""
    for file in files:
        before, number = len(stats.invalid), 0
        with closing(open_file(file)) as stream:
            for number, text in _bounded(stream, file, max_bytes, stats):
                yield Line(f"{file}:{number}", text)
        if not number and len(stats.invalid) == before:
            raise DataError(f"{file}: empty; allowed: one JSON object a line")


def parse_line(line: Line, model: type[T], stats: ReadStats) -> T | None:
    try:
        return model.model_validate_json(line.text)
    except ValidationError as error:
        stats.reject(line.where, _why(line.text, error))
        return None


def open_file(file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file, "rb")) if file.suffix == ".gz" else file.open("rb")


def _bounded(stream: IO[bytes], file: Path, max_bytes: int, stats: ReadStats) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        while text := stream.readline(max_bytes + 1):
            number += 1
            if len(text) > max_bytes and not text.endswith(b"\n"):
                length = len(text) + _skip(stream)
                stats.reject(f"{file}:{number}", f"a line of {length} bytes; allowed: max_line_bytes={max_bytes}")
            elif text.strip():
                yield number, text.rstrip(b"\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{file}:{number + 1}: not whole gzip: {error}") from None


def _skip(stream: IO[bytes]) -> int:
    """To the end of the line; the bytes that were passed over."""
    passed = 0
    while text := stream.readline(CHUNK):
        passed += len(text)
        if text.endswith(b"\n"):
            break
    return passed


def _why(text: bytes, error: ValidationError) -> str:
    """In one short line: the encoding before the syntax before the types."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as broken:
        return f"not UTF-8: byte 0x{text[broken.start]:02x} at {broken.start}"
    if b"\0" in text:
        return f"a NUL byte at {text.index(0)}"
    said = validation_line(error)
    broken_json = re.match(r"document: (Invalid JSON: .*) at line 1 column (\d+)", said)
    return f"{broken_json[1]} at character {broken_json[2]}" if broken_json else said

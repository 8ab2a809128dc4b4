"""Reading records as JSON lines, one at a time, from any container; an invalid line is reported with its file and number."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError

from sekft.data.containers import Container, container, open_file, records
from sekft.data.reader import ReadStats
from sekft.errors import DataError, utf8_problem, validation_line

JSONL = (".jsonl", ".jsonl.gz")
CHUNK_BYTES = 1 << 20
Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True)
class Line:
    location: str  # file:number, numbers from 1
    text: bytes  # without its line end


def read_records(files: Sequence[Path], model: type[Record], max_bytes: int, stats: ReadStats) -> Iterator[tuple[str, Record]]:
    """(location, record) of every valid line, in order; invalid ones go to stats. Raises DataError, also for an empty file."""
    for line in read_lines(files, max_bytes, stats):
        if (record := parse_line(line, model, stats)) is not None:
            yield line.location, record


def read_lines(files: Sequence[Path], max_bytes: int, stats: ReadStats) -> Iterator[Line]:
    """Every line that is not blank, in order; every record of a JSON document or a table as a line of its own.

    A line over max_bytes is rejected, without being held in memory. Raises DataError for an empty file and for a damaged one.
    """
    for file in files:
        invalid_before, number = len(stats.invalid), 0
        kind = container(file)
        if kind in (Container.jsonl, Container.text):
            with closing(open_file(file)) as stream:
                for number, text in _bounded_lines(stream, file, max_bytes, stats):
                    yield Line(f"{file}:{number}", text)
        else:
            for number, text in enumerate(records(file, kind), 1):
                if len(text) > max_bytes:
                    stats.reject(f"{file}:{number}", f"a record of {len(text)} bytes; allowed: max_line_bytes={max_bytes}")
                else:
                    yield Line(f"{file}:{number}", text)
        if not number and len(stats.invalid) == invalid_before:
            raise DataError(f"{file}: empty; allowed: one JSON object per line")


def parse_line(line: Line, model: type[Record], stats: ReadStats) -> Record | None:
    """The line as a record of the model; None, and rejected in stats, if it is not one."""
    try:
        return model.model_validate_json(line.text)
    except ValidationError as error:
        stats.reject(line.location, problem(line.text, error))
        return None


def first_record(file: Path, max_bytes: int) -> Any:
    """The first record that can be parsed; None without one. Raises DataError for a damaged file."""
    for line in read_lines([file], max_bytes, ReadStats(max_bad=10**9)):
        try:
            return json.loads(line.text)
        except (ValueError, RecursionError):
            continue
    return None


def _bounded_lines(stream: IO[bytes], file: Path, max_bytes: int, stats: ReadStats) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        while text := stream.readline(max_bytes + 1):
            number += 1
            if len(text) > max_bytes and not text.endswith(b"\n"):
                length = len(text) + _skip_line(stream)
                stats.reject(f"{file}:{number}", f"a line of {length} bytes; allowed: max_line_bytes={max_bytes}")
            elif text.strip():
                yield number, text.rstrip(b"\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{file}:{number + 1}: damaged gzip: {error}") from None


def _skip_line(stream: IO[bytes]) -> int:
    """Read to the end of the line; the number of bytes read."""
    skipped = 0
    while text := stream.readline(CHUNK_BYTES):
        skipped += len(text)
        if text.endswith(b"\n"):
            break
    return skipped


def problem(text: bytes, error: ValidationError) -> str:
    """The first problem of the line: its encoding, else its JSON syntax, else a field."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as broken:
        return utf8_problem(broken)
    if b"\0" in text:
        return f"a NUL byte at {text.index(0)}; allowed: text without NUL"
    line = validation_line(error)
    syntax = re.match(r"document: (Invalid JSON: .*) at line 1 column (\d+)", line)
    return f"{syntax[1]} at character {syntax[2]}" if syntax else line

"""The containers that records come in, told by their content: JSON Lines, one JSON document, CSV, Parquet, Arrow.

Every record of a JSON document or a table becomes one JSON line, so that each format can be read from each container.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, cast

from sekft.errors import DataError

HEAD_BYTES = 1 << 16  # that the container is told by
BATCH_ROWS = 256  # of a table that are held at once
DELIMITERS = ",;\t"
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"  # the byte order mark of UTF-8
FOREIGN = {  # first bytes of files that are not read, and what to do
    b"PK\x03\x04": "a zip archive; unpack it and give the folder, or export a table as CSV",
    b"\x28\xb5\x2f\xfd": "zstd; decompress it first",
    b"\xff\xfe": "UTF-16; convert it to UTF-8",
    b"\xfe\xff": "UTF-16; convert it to UTF-8",
    b"SQLite format 3": "an SQLite database; export a table as CSV",
}
TURN_MARKS = ({"role"}, {"from", "value"}, {"sender", "text"}, {"sender", "content"})
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class Container(StrEnum):
    jsonl = "JSON Lines"
    json = "JSON"
    csv = "CSV"
    parquet = "Parquet"
    arrow = "Arrow"
    text = "text"


TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
DATA = (".jsonl", ".jsonl.gz", ".parquet", ".arrow", *TABLES, ".json", ".json.gz")  # what a folder of data is searched for


def open_file(file: Path) -> IO[bytes]:
    """The file for reading, behind its byte order mark if it has one; decompressed if it is gzip, by its name or its first bytes."""
    stream = cast(IO[bytes], file.open("rb"))  # noqa: SIM115, closed by the caller
    if file.suffix == ".gz" or stream.read(2) == GZIP:
        stream.close()
        stream = cast(IO[bytes], gzip.open(file, "rb"))  # noqa: SIM115
    else:
        stream.seek(0)
    try:
        if stream.read(len(BOM)) != BOM:
            stream.seek(0)
    except DAMAGED:
        stream.seek(0)  # its reader names the damage
    return stream


def container(file: Path) -> Container:
    """The container of a file; of damaged gzip the one of its name, whose reader names the damage. Raises DataError."""
    name = file.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return Container.parquet
    try:
        with closing(open_file(file)) as stream:
            head = stream.read(HEAD_BYTES)
    except DAMAGED:
        head = b""
    if foreign := next((what for start, what in FOREIGN.items() if head.startswith(start)), None):
        raise DataError(f"{file}: {foreign}; allowed: JSON Lines, JSON, CSV, Parquet, Arrow")
    if head.startswith(b"PAR1"):
        return Container.parquet
    if head.startswith(b"ARROW1") or name.endswith(".arrow"):
        return Container.arrow
    if name.endswith((".csv", ".tsv")):
        return Container.csv
    text = head.lstrip()
    first, _, rest = text.partition(b"\n")
    if text.startswith(b"{"):
        is_document = first.strip() == b"{" or (name.endswith(".json") and b"\n" in text and not _is_json(first))
        return Container.json if is_document else Container.jsonl
    if text.startswith(b"["):
        return Container.jsonl if rest.strip() and _is_json(first) else Container.json
    return Container.jsonl if name.endswith(".jsonl") else Container.json if name.endswith(".json") else Container.text


def records(file: Path, kind: Container) -> Iterator[bytes]:
    """Every record of a JSON document or a table as one JSON line. Raises DataError."""
    rows = {Container.json: _elements, Container.csv: _table, Container.parquet: _parquet, Container.arrow: _arrow}[kind](file)
    return (_line(row, file) for row in rows)


def _line(row: Any, file: Path) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
    except (RecursionError, ValueError) as error:
        raise DataError(f"{file}: a record that cannot be written as JSON: {' '.join(str(error).split())[:80]}") from None


def is_turn(value: Any) -> bool:
    """Whether a value looks like one turn of a conversation: {role, content}, which may lack its content, {from, value}, {sender, text}."""
    return isinstance(value, dict) and any(marks <= value.keys() for marks in TURN_MARKS)


def _elements(file: Path) -> Iterator[Any]:
    """The elements of a JSON list, one at a time; a list of turns, and an object, is one record."""
    import ijson

    number = 0
    with closing(open_file(file)) as stream:
        try:
            start = stream.tell()
            first = _first_letter(stream)
            stream.seek(start)
            if first == b"{":
                yield json.load(stream)
                return
            elements = ijson.items(stream, "item", use_float=True)
            for number, element in enumerate(elements, 1):
                if number == 1 and is_turn(element):
                    yield [element, *elements]
                    return
                yield element
        except DAMAGED as error:
            raise DataError(f"{file}: damaged gzip: {error}") from None
        except (ijson.JSONError, ValueError, RecursionError) as error:
            after = f" after record {number}" if number else ""
            raise DataError(f"{file}: invalid JSON{after}: {' '.join(str(error).partition(chr(10))[0].split())[:120]}") from None


def _first_letter(stream: IO[bytes]) -> bytes:
    """The first character that is no white space; the stream stands behind it."""
    while (letter := stream.read(1)).isspace():
        pass
    return letter


def _table(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file by its header; the delimiter is the one of DELIMITERS that the header has most of."""
    csv.field_size_limit(1 << 30)
    with closing(open_file(file)) as stream, io.TextIOWrapper(stream, encoding="utf-8", newline="") as text:
        try:
            start = text.tell()
            header = text.readline()
            text.seek(start)
            reader = csv.DictReader(text, delimiter=max(DELIMITERS, key=header.count), restkey="", strict=True)
            for number, row in enumerate(reader, 1):
                if "" in row and isinstance(row[""], list):
                    raise DataError(f"{file}:{number}: {len(row[''])} fields more than the header has; text with commas stands in quotes")
                yield row
        except UnicodeDecodeError as error:
            raise DataError(f"{file}: not UTF-8: byte 0x{error.object[error.start]:02x}") from None
        except csv.Error as error:
            raise DataError(f"{file}: not CSV: {error}") from None
        except DAMAGED as error:
            raise DataError(f"{file}: damaged gzip: {error}") from None


def _parquet(file: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(BATCH_ROWS):
                yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        raise DataError(f"{file}: not Parquet: {str(error).splitlines()[0]}") from None


def _arrow(file: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import ArrowException, ipc

    opened = ipc.open_file if file.open("rb").read(6) == b"ARROW1" else ipc.open_stream  # datasets writes streams
    try:
        with file.open("rb") as stream, opened(stream) as table:
            batches = table if opened is ipc.open_stream else (table.get_batch(at) for at in range(table.num_record_batches))
            for batch in batches:
                yield from batch.to_pylist()
    except (ArrowException, OSError) as error:
        raise DataError(f"{file}: not Arrow: {str(error).splitlines()[0]}") from None


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True

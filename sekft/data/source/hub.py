"""Reads any dataset with a column of messages, JSONL or Parquet, as a stream."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, ConfigDict, Field, ValidationError, create_model

from sekft.config import SourceConfig
from sekft.data.conversation import ROLES, RawTurn, to_conversation
from sekft.data.files import find_files
from sekft.data.lines import JSONL, read_records
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.errors import DataError, validation_line
from sekft.rendering.messages import Message

FILES = (*JSONL, ".parquet")


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample per row of the files whose names start with source.split, or of all files. A row without an id gets file:number."""
    files = find_files(source.path or "", FILES)
    chosen = [file for file in files if file.name.startswith(source.split)] or files
    row_type = _row_type(source.column)
    for file in chosen:
        is_parquet = file.suffix == ".parquet"
        for location, row in (
            _parquet(file, row_type, stats) if is_parquet else read_records([file], row_type, source.max_line_bytes, stats)
        ):
            turns = to_conversation([(ROLES[turn.role], turn.content) for turn in row.turns], source.system, stats)
            if turns:
                yield _sample(name, row, Path(location).name, turns)


def _sample(name: str, row: Any, location: str, turns: tuple[Message, ...]) -> Sample:
    id = f"{name}/{location if row.id is None else row.id}"
    group, archetype = (value if isinstance(value, str) else "" for value in (row.group, row.archetype))
    time = row.time if isinstance(row.time, float | int) else None
    return Sample(id, f"{name}/{group}" if group else id, name, turns, is_chat=True, archetype=archetype, time=time)


def _row_type(column: str) -> Any:
    """The pydantic model of a row whose turns stand in `column`."""
    return create_model(
        "Row",
        __config__=ConfigDict(frozen=True),
        turns=(list[RawTurn], Field(validation_alias=column)),
        id=(str | int | None, Field(None, validation_alias=AliasChoices("id", "uuid", "conversation_id"))),
        group=(Any, None),  # group, archetype and time as sekft.collect source=... writes them
        archetype=(Any, None),
        time=(Any, None),
    )


def _parquet(file: Path, row_type: Any, stats: ReadStats) -> Iterator[tuple[str, Any]]:
    from datasets import load_dataset
    from pyarrow import ArrowInvalid

    try:
        for number, row in enumerate(load_dataset("parquet", data_files=str(file), split="train", streaming=True), 1):
            try:
                yield f"{file}:{number}", row_type.model_validate(row)
            except ValidationError as error:
                stats.reject(f"{file}:{number}", validation_line(error))
    except (ArrowInvalid, OSError) as error:
        raise DataError(f"{file}: not Parquet: {str(error).splitlines()[0]}") from None

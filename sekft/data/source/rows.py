"""Reads rows that are one conversation each: a column of turns (messages, ShareGPT), or a prompt and its answer in two columns."""

import ast
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from sekft.config import SourceConfig, SourceKind
from sekft.data.containers import DATA, is_turn
from sekft.data.conversation import Conversation, RawTurn, to_conversation
from sekft.data.files import find_files
from sekft.data.lines import first_record, read_records
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample, as_time

TURN_COLUMNS = ("messages", "conversations", "conversation", "turns", "chat_messages")
PAIRS = {  # (column of the prompt, column of the answer), in the order in which they are looked for
    SourceKind.prompt_completion: (("prompt", "completion"), ("prompt", "response"), ("question", "answer"), ("input", "output")),
    SourceKind.alpaca: (("instruction", "output"), ("instruction", "response")),
}


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample per row of the files whose names start with source.split, or of all files. A row without an id gets file:number."""
    for file in row_files(source):
        row_type = _row_type(source, first_record(file, source.max_line_bytes))
        for location, row in read_records([file], row_type, source.max_line_bytes, stats):
            conversation = to_conversation([turn.turn() for turn in row.turns], source.system, stats)
            if conversation:
                yield _sample(name, row, Path(location).name, conversation)


def row_files(source: SourceConfig) -> list[Path]:
    """The files of the source: those of its split if there are any, and *.json only where there is nothing else."""
    files = find_files(source.path or "", DATA)
    files = [file for file in files if not file.name.removesuffix(".gz").endswith(".json")] or files
    return [file for file in files if file.name.startswith(source.split)] or files


def turn_column(record: Any, column: str | None = None) -> str | None:
    """The column that holds the turns of a record; None without one."""
    columns = [column] if column else TURN_COLUMNS
    return next((name for name in columns if isinstance(record, dict) and _parsed(record.get(name)) not in (None, "", [])), None)


def pair_columns(record: Any, kind: SourceKind) -> tuple[str, str] | None:
    """The columns of prompt and answer of a record; None without them."""
    return next((pair for pair in PAIRS[kind] if isinstance(record, dict) and {*pair} <= record.keys()), None)


def turns_of(record: Any, column: str | None = None) -> list[Any]:
    """The turns of a record that is a list of them, or has a column of them; empty without any."""
    turns = record if isinstance(record, list) else _parsed(record.get(column)) if column and isinstance(record, dict) else None
    return turns if isinstance(turns, list) and all(map(is_turn, turns)) else []


def _parsed(value: Any) -> Any:
    """The value of text that is a list in JSON or in Python's notation, as CSV files hold it; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return value


def _sample(name: str, row: Any, location: str, conversation: Conversation) -> Sample:
    own = row.id if isinstance(row.id, str | int) and row.id != "" else None
    id = f"{name}/{location if own is None else own}"
    group, archetype = (value if isinstance(value, str) else "" for value in (row.group, row.archetype))
    text = "\0".join(turn.content for turn in conversation.messages)
    key = "" if group or own is not None else sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Sample(
        id,
        f"{name}/{group}" if group else id,
        name,
        conversation.messages,
        unlearned=conversation.unlearned,
        is_chat=True,
        archetype=archetype,
        time=as_time(row.time),
        key=key,
    )


class _Row(BaseModel):
    """What every row may have besides its turns. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True)

    id: Any = Field(None, validation_alias=AliasChoices("id", "uuid", "conversation_id"))
    group: Any = None  # group, archetype and time as sekft.collect source=... writes them
    archetype: Any = None
    time: Any = None


def _row_type(source: SourceConfig, first: Any) -> Any:
    """The pydantic model of the rows of a file whose first record is given; its turns are a list of RawTurn."""
    if source.kind in PAIRS:
        column, unified = "turns", _from_pair(*(pair_columns(first, source.kind) or PAIRS[source.kind][0]))
    else:
        column = source.column or turn_column(first) or ("conversations" if source.kind is SourceKind.sharegpt else "messages")
        unified = _from_list(column)
    turns: Any = (Annotated[list[RawTurn], BeforeValidator(_parsed)], Field(validation_alias=column))
    validators: Any = {"unify": model_validator(mode="before")(unified)}
    return create_model("Row", __base__=_Row, __validators__=validators, turns=turns)


def _from_list(column: str) -> Callable[[Any], Any]:
    """A function from a row that is a list of turns to one with that column."""
    return lambda row: {column: row} if isinstance(row, list) else row


def _from_pair(prompt: str, answer: str) -> Callable[[Any], Any]:
    """A function from a row with a prompt and an answer to the row with its turns."""

    def to_turns(row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        system = [{"role": "system", "content": row["system"]}] if row.get("system") else []
        history = [turn for pair in _pairs(row.get("history") or []) for turn in zip(("user", "assistant"), pair, strict=True)]
        asked = _turns_in(row, prompt, "user")
        if more := prompt == "instruction" and row.get("input"):
            asked = [{"role": "user", "content": f"{row.get(prompt)}\n\n{more}"}]
        turns = [*system, *({"role": role, "content": text} for role, text in history), *asked, *_turns_in(row, answer, "assistant")]
        return {**row, "turns": turns}

    return to_turns


def _pairs(history: Any) -> list[list[Any]]:
    """The earlier exchanges of a row. Raises ValueError."""
    history = _parsed(history)
    if not isinstance(history, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        raise ValueError("history: not a list of [prompt, answer] pairs")
    return history


def _turns_in(row: dict[str, Any], column: str, role: str) -> list[Any]:
    """The turns in a column: a list of them, or the text of one. Raises ValueError."""
    value = _parsed(row.get(column))
    if isinstance(value, list):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{column}: found {value!r}, allowed: text, or a list of turns")
    return [{"role": role, "content": value}]

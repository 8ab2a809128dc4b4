"""Reads conversations.json of a ChatGPT export, one conversation at a time: the branch that was last shown."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sekft.config import SourceConfig
from sekft.data.containers import open_file
from sekft.data.conversation import Role, Text, leading_system_turns, to_conversation
from sekft.data.files import find_files
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.errors import DataError, validation_line

JSON = ("conversations.json", "conversations.json.gz")


class Record(BaseModel):
    """The part of a record that is read. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True)


class Author(Record):
    role: Literal["system", "user", "assistant", "tool"]


class Content(Record):
    content_type: str
    parts: list[Any] = []


class ExportedMessage(Record):
    author: Author
    content: Content
    recipient: str | None = "all"


class Node(Record):
    message: ExportedMessage | None = None
    parent: str | None = None


class Conversation(Record):
    mapping: dict[str, Node]
    current_node: str | None = None
    conversation_id: str | None = None
    id: str | None = None
    create_time: float | None = None


class Texts(Record):
    texts: list[Text]


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample per conversation. Messages that are not text, and those to and from tools, are dropped and counted."""
    seen: set[str] = set()
    for file in find_files(source.path or "", JSON):
        for number, document in _conversations(file):
            location = f"{file}: conversation {number}"
            try:
                record = Conversation.model_validate(document)
                turns = to_conversation(_turns(record, source.max_line_bytes, stats), source.system, stats)
            except ValidationError as error:
                stats.reject(location, validation_line(error))
                continue
            except ValueError as error:
                stats.reject(location, str(error))
                continue
            id = record.conversation_id or record.id or f"{file.name}-{number}"
            if id in seen:
                stats.skip("a conversation with the id of an earlier one")
            elif turns:
                seen.add(id)
                yield Sample(f"{name}/{id}", f"{name}/{id}", name, turns, is_chat=True, time=record.create_time)


def _conversations(file: Path) -> Iterator[tuple[int, Any]]:
    """(number from 1, JSON value) of every conversation. Raises DataError unless the file is one whole JSON list."""
    import ijson

    number = 0
    with closing(open_file(file)) as stream:
        try:
            for number, document in enumerate(ijson.items(stream, "item", use_float=True), 1):
                yield number, document
        except (ijson.JSONError, UnicodeDecodeError, RecursionError, EOFError) as error:
            raise DataError(f"{file}: invalid JSON after conversation {number}: {' '.join(str(error).split())[:120]}") from None
    if not number:
        raise DataError(f"{file}: no conversation; allowed: a JSON list of conversations")


def _turns(record: Conversation, max_bytes: int, stats: ReadStats) -> list[tuple[Role, str]]:
    """The text turns of the branch. Raises ValueError for a cycle of parents, a missing one, and more than max_bytes characters."""
    turns: list[tuple[Role, str]] = []
    for message in _branch(record):
        content_type = message.content.content_type
        if content_type != "text" or any(not isinstance(part, str) for part in message.content.parts):
            stats.count_change(f"messages dropped: {content_type if content_type != 'text' else 'not all text'}")
        elif message.author.role == "tool" or message.recipient not in ("all", None):
            stats.count_change("messages dropped: to or from a tool")
        else:
            role: Role = message.author.role
            turns.append((role, "\n".join(Texts(texts=message.content.parts).texts)))
    length = sum(len(text) for _, text in turns)
    if length > max_bytes:
        raise ValueError(f"{length} characters; allowed: max_line_bytes={max_bytes}")
    leading = leading_system_turns(turns)
    return [(role, text) for at, (role, text) in enumerate(turns) if at < leading or role != "system"]


def _branch(record: Conversation) -> list[ExportedMessage]:
    """The messages from the root to current_node, or to the last leaf if there is none. Raises ValueError."""
    parents = {node.parent for node in record.mapping.values()}
    leaves = [name for name in record.mapping if name not in parents]
    name: str | None = record.current_node if record.current_node in record.mapping else (leaves[-1] if leaves else None)
    if name is None and record.mapping:
        raise ValueError("its parents form a cycle")
    branch: list[ExportedMessage] = []
    seen: set[str] = set()
    while name is not None:
        if name in seen:
            raise ValueError(f"its parents form a cycle, at {name}")
        if name not in record.mapping:
            raise ValueError(f"message {name} is missing, but named as a parent")
        seen.add(name)
        node = record.mapping[name]
        branch += [node.message] if node.message else []
        name = node.parent
    return branch[::-1]

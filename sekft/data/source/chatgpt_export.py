"""Reads the conversations of a ChatGPT export, in one file or in numbered ones, one at a time: the branch that was last shown."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sekft.config import SourceConfig
from sekft.data.containers import open_file
from sekft.data.conversation import Text, Turn, foreign_in, leading_system_turns, to_conversation
from sekft.data.files import find_files
from sekft.data.lines import first_record
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample, as_time
from sekft.errors import DataError, validation_line

JSON = (".json", ".json.gz")
THOUGHTS = frozenset(("thoughts", "reasoning_recap"))
ABOUT = frozenset(("user_editable_context", "model_editable_context"))  # what the service tells the model about its user
SPOKEN = frozenset(("text", "multimodal_text"))
SOUND = "audio_asset_pointer"  # stands beside its transcription


class Record(BaseModel):
    """The part of a record that is read. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True)


class Author(Record):
    role: Literal["system", "user", "assistant", "tool"]


class Content(Record):
    content_type: str
    parts: list[Any] | None = None


class ExportedMessage(Record):
    author: Author
    content: Content
    recipient: str | None = "all"
    weight: float | None = None  # 0: not among what the model was shown


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
    text: Text


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample per conversation, up to its first message that is not text, or to or from a tool."""
    seen: set[str] = set()
    for file in export_files(source):
        for number, document in _conversations(file):
            location = f"{file}: conversation {number}"
            try:
                record = Conversation.model_validate(document)
                found = to_conversation(_turns(record, source.max_line_bytes, stats), source.system, stats)
            except ValidationError as error:
                stats.reject(location, validation_line(error))
                continue
            except ValueError as error:
                stats.reject(location, str(error))
                continue
            id = record.conversation_id or record.id or f"{file.name}-{number}"
            if id in seen:
                stats.skip("a conversation with the id of an earlier one")
            elif found:
                seen.add(id)
                place, time = f"{name}/{id}", as_time(record.create_time)
                yield Sample(place, place, name, found.messages, unlearned=found.unlearned, is_chat=True, time=time)


def export_files(source: SourceConfig) -> list[Path]:
    """The file, or the files of the folder of an export that hold conversations; other files of an export have records of another form."""
    files = find_files(source.path or "", JSON)
    if len(files) == 1:
        return files
    records = ((file, first_record(file, source.max_line_bytes)) for file in files)
    found = [file for file, record in records if isinstance(record, dict) and "mapping" in record]
    if not found:
        raise DataError(f"{source.path}: no file with conversations among its {len(files)} of *.json; allowed: conversations.json")
    return found


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


def _turns(record: Conversation, max_bytes: int, stats: ReadStats) -> list[Turn]:
    """The turns of the branch. Raises ValueError for a cycle of parents, a missing one, and more than max_bytes characters."""
    turns: list[Turn] = []
    for message in _branch(record):
        kind = message.content.content_type
        if kind in THOUGHTS | ABOUT:
            stats.count_change("thoughts dropped" if kind in THOUGHTS else f"messages dropped: {kind}")
        else:
            turns.append(_turn(message))
    length = sum(len(turn.text) for turn in turns)
    if length > max_bytes:
        raise ValueError(f"{length} characters; allowed: max_line_bytes={max_bytes}")
    leading = leading_system_turns(turns)
    return [turn for at, turn in enumerate(turns) if at < leading or turn.role != "system"]


def _turn(message: ExportedMessage) -> Turn:
    """A message as a turn; one to or from a tool, and one with an image, as a turn that is not text."""
    role, content = message.author.role, message.content
    is_learned = message.weight != 0
    if role == "tool" or message.recipient not in ("all", None):
        called = "a call of a tool" if role == "tool" else f"a call of {str(message.recipient)[:40]}"
        return Turn("assistant", "", is_learned, called)
    if content.content_type not in SPOKEN:
        return Turn(role, "", is_learned, f"a message of the type {content.content_type[:40]!r}")
    parts = [part for part in content.parts or () if not (isinstance(part, dict) and part.get("content_type") == SOUND)]
    if foreign := foreign_in({"content": parts}):
        return Turn(role, "", is_learned, foreign)
    return Turn(role, Texts.model_validate({"text": parts}).text, is_learned)


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

"""conversations.json of a ChatGPT export, one conversation at a time: the branch that was last looked at."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sekft.config import SourceConfig
from sekft.data.conversation import Role, Text, conversation
from sekft.data.files import find_files
from sekft.data.lines import open_file
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.errors import DataError, validation_line

JSON = ("conversations.json", "conversations.json.gz")


class Part(BaseModel):
    """What is read of records; fields that are not here are left unread."""

    model_config = ConfigDict(frozen=True)


class Author(Part):
    role: Literal["system", "user", "assistant", "tool"]


class Content(Part):
    content_type: str
    parts: list[Any] = []


class Said(Part):
    author: Author
    content: Content
    recipient: str | None = "all"


class Node(Part):
    message: Said | None = None
    parent: str | None = None


class Conversation(Part):
    mapping: dict[str, Node]
    current_node: str | None = None
    conversation_id: str | None = None
    id: str | None = None
    create_time: float | None = None


class Texts(Part):
    texts: list[Text]


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample a conversation; messages that are no text, and those to and from tools, are left out of it and counted."""
    seen: set[str] = set()
    for file in find_files(source.path or "", JSON):
        for number, found in _conversations(file):
            where = f"{file}: conversation {number}"
            try:
                record = Conversation.model_validate(found)
                turns = conversation(_turns(record, source.max_line_bytes, stats), source.system, stats)
            except ValidationError as error:
                stats.reject(where, validation_line(error))
                continue
            except ValueError as error:
                stats.reject(where, str(error))
                continue
            id = record.conversation_id or record.id or f"{file.name}-{number}"
            if id in seen:
                stats.skip("a conversation for the second time")
            elif turns:
                seen.add(id)
                yield Sample(f"{name}/{id}", f"{name}/{id}", name, turns, is_chat=True, time=record.create_time)


def _conversations(file: Path) -> Iterator[tuple[int, Any]]:
    """(number, record). Raises DataError for what is no list of JSON objects, and for one that is cut off."""
    import ijson

    number = 0
    with closing(open_file(file)) as stream:
        try:
            for number, found in enumerate(ijson.items(stream, "item", use_float=True), 1):
                yield number, found
        except (ijson.JSONError, UnicodeDecodeError, RecursionError, EOFError) as error:
            raise DataError(f"{file}: no JSON after conversation {number}: {' '.join(str(error).split())[:120]}") from None
    if not number:
        raise DataError(f"{file}: no conversation; allowed: a JSON list of them")


def _turns(record: Conversation, max_bytes: int, stats: ReadStats) -> list[tuple[Role, str]]:
    """Raises ValueError for parents that go round in a circle, and for more text than max_bytes."""
    turns: list[tuple[Role, str]] = []
    for said in _branch(record):
        if said.content.content_type != "text" or any(not isinstance(part, str) for part in said.content.parts):
            stats.change(f"messages left out: {said.content.content_type if said.content.content_type != 'text' else 'not all text'}")
        elif said.author.role == "tool" or said.recipient not in ("all", None):
            stats.change("messages left out: to or from a tool")
        else:
            role: Role = "assistant" if said.author.role == "assistant" else "system" if said.author.role == "system" else "user"
            turns.append((role, "\n".join(Texts(texts=said.content.parts).texts)))
    length = sum(len(text) for _, text in turns)
    if length > max_bytes:
        raise ValueError(f"{length} characters; allowed: max_line_bytes={max_bytes}")
    lead = next((at for at, (role, _) in enumerate(turns) if role != "system"), len(turns))
    return [(role, text) for at, (role, text) in enumerate(turns) if at < lead or role != "system"]


def _branch(record: Conversation) -> list[Said]:
    """From the root to current_node; without one, to the leaf that stands last."""
    parents = {node.parent for node in record.mapping.values()}
    leaves = [name for name in record.mapping if name not in parents]
    name: str | None = record.current_node if record.current_node in record.mapping else (leaves[-1] if leaves else None)
    if name is None and record.mapping:
        raise ValueError("its parents go round in a circle")
    branch: list[Said] = []
    seen: set[str] = set()
    while name is not None:
        if name in seen:
            raise ValueError(f"its parents go round in a circle, at {name}")
        if name not in record.mapping:
            raise ValueError(f"message {name} is not there, and is a parent")
        seen.add(name)
        node = record.mapping[name]
        branch += [node.message] if node.message else []
        name = node.parent
    return branch[::-1]

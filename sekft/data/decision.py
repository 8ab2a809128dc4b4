"""Decision points: a context and the continuation that should have been typed there; read and written as JSON Lines, schema 1."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator, model_validator

from sekft.data.lines import read_records
from sekft.data.reader import ReadStats
from sekft.errors import DataError
from sekft.rendering.messages import Message
from sekft.tracking.files import write_text

MAX_LINE_BYTES = 1 << 24
OLD_NAMES = {"world": "scenario"}  # fields that had another name when a file was written


class Decision(BaseModel):
    """One decision point. A line may give `messages` and the index `decision` of an assistant turn instead of `context` and `own`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    id: Annotated[str, StringConstraints(min_length=1)]
    context: tuple[Message, ...]  # ends with a turn of the environment
    continuation: str  # the better turn; its stop token comes from the template
    own: str = ""  # what the agent typed there, where that is known
    reason: str = ""  # why the continuation is better
    memories: tuple[str, ...] = ()  # facts that would have helped
    scenario: str = ""  # scenario id, the group of the split

    @model_validator(mode="before")
    @classmethod
    def accept_old_names(cls, line: Any) -> Any:
        return {OLD_NAMES.get(key, key): value for key, value in line.items()} if isinstance(line, dict) else line

    @model_validator(mode="before")
    @classmethod
    def from_messages(cls, line: Any) -> Any:
        if not isinstance(line, dict) or "messages" not in line:
            return line
        rest = {key: value for key, value in line.items() if key not in ("messages", "decision")}
        if taken := {"context", "own"} & rest.keys():
            raise ValueError(f"messages beside {', '.join(sorted(taken))}; allowed: one of them")
        messages, at = line["messages"], line.get("decision")
        turns = [index for index, message in enumerate(messages) if message.get("role") == "assistant"] if _are_messages(messages) else []
        if type(at) is not int or at not in turns:
            indices = ", ".join(map(str, turns)) or "none in these messages"
            raise ValueError(f"decision: found {at!r}, allowed: the index of an assistant turn, {indices}")
        return {**rest, "context": messages[:at], "own": messages[at].get("content")}

    @field_validator("continuation")
    @classmethod
    def not_blank(cls, continuation: str) -> str:
        if not continuation.strip():
            raise ValueError("blank; allowed: the text that should have been typed")
        return continuation

    @model_validator(mode="after")
    def context_ends_with_environment(self) -> "Decision":
        if not self.context or self.context[-1].role != "user":
            found = f"a turn of the {self.context[-1].role}" if self.context else "nothing"
            raise ValueError(f"context: ends in {found}; allowed: a turn of the environment")
        return self

    @property
    def hint(self) -> str:
        """The reason and the memories, one a line."""
        return "\n".join(filter(None, (self.reason, *self.memories)))


def dumps(decision: Decision) -> str:
    """The decision point as a JSON line, newline included."""
    return decision.model_dump_json() + "\n"


def read(paths: Sequence[Path], max_line_bytes: int, stats: ReadStats) -> Iterator[Decision]:
    """The decision points of *.jsonl(.gz) files, in order. Rejected in stats: invalid lines and repeated ids."""
    seen: dict[str, str] = {}
    for location, decision in read_records(paths, Decision, max_line_bytes, stats):
        if (first := seen.setdefault(decision.id, location)) != location:
            stats.reject(location, f"id: {json.dumps(decision.id)} is in {first}, too; allowed: once")
        else:
            yield decision


def load(path: Path) -> list[Decision]:
    """The decision points of one file. Raises DataError naming file and line of the first invalid one."""
    if not path.is_file():
        raise DataError(f"{path}: no such file of decision points")
    return list(read([path], MAX_LINE_BYTES, ReadStats()))


def append(decision: Decision, path: Path) -> None:
    """Append the decision point in one write and flush it to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, dumps(decision).encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def write(decisions: Sequence[Decision], path: Path) -> None:
    """Replace the file by these decision points, atomically."""
    write_text(path, "".join(map(dumps, decisions)))


def _are_messages(messages: Any) -> bool:
    return isinstance(messages, list) and all(isinstance(message, dict) for message in messages)

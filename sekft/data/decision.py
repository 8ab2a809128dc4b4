"""Decision points: what stood before a turn, and what should have been typed there. One JSON line each, both ways. Schema version 1."""

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

MAX_LINE_BYTES = 1 << 24


class Decision(BaseModel):
    """A line may give `messages` and the index `decision` of an assistant's turn among them instead of `context` and `own`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    id: Annotated[str, StringConstraints(min_length=1)]
    context: tuple[Message, ...]  # ends in what the environment said last
    continuation: str  # the better turn; its stop token comes from the template
    own: str = ""  # what the agent typed there itself, where that is known
    reason: str = ""  # why the continuation is better
    memories: tuple[str, ...] = ()  # what more would have helped to see it
    scenario: str = ""  # scenario id: rows of one scenario never lie on both sides of a split

    @model_validator(mode="before")
    @classmethod
    def cut(cls, line: Any) -> Any:
        if not isinstance(line, dict) or "messages" not in line:
            return line
        rest = {key: value for key, value in line.items() if key not in ("messages", "decision")}
        if taken := {"context", "own"} & rest.keys():
            raise ValueError(f"messages beside {', '.join(sorted(taken))}; allowed: one of them")
        messages, at = line["messages"], line.get("decision")
        turns = [index for index, one in enumerate(messages) if one.get("role") == "assistant"] if _are_messages(messages) else []
        if type(at) is not int or at not in turns:
            raise ValueError(
                f"decision: found {at!r}, allowed: the index of an assistant's turn, {', '.join(map(str, turns)) or 'none here'}"
            )
        return {**rest, "context": messages[:at], "own": messages[at].get("content")}

    @field_validator("continuation")
    @classmethod
    def said(cls, continuation: str) -> str:
        if not continuation.strip():
            raise ValueError("nothing is typed; allowed: a text that is not blank")
        return continuation

    @model_validator(mode="after")
    def begins_where_it_is_typed(self) -> "Decision":
        if not self.context or self.context[-1].role != "user":
            found = f"a turn of the {self.context[-1].role}" if self.context else "nothing"
            raise ValueError(f"context: ends in {found}; allowed: what the environment said last")
        return self

    @property
    def hint(self) -> str:
        """What would have helped: the reason, and the memories."""
        return "\n".join(filter(None, (self.reason, *self.memories)))


def dumps(decision: Decision) -> str:
    """One JSON line, newline included."""
    return decision.model_dump_json() + "\n"


def read(paths: Sequence[Path], max_line_bytes: int, stats: ReadStats) -> Iterator[Decision]:
    """Those of *.jsonl(.gz) files, in order. An id that was there before is a line that cannot be read."""
    seen: dict[str, str] = {}
    for where, decision in read_records(paths, Decision, max_line_bytes, stats):
        if (before := seen.setdefault(decision.id, where)) != where:
            stats.reject(where, f"id: {json.dumps(decision.id)} stands in {before} too; allowed: once")
        else:
            yield decision


def load(path: Path) -> list[Decision]:
    """All of one file. Raises DataError naming file and line of the first that is none."""
    if not path.is_file():
        raise DataError(f"{path}: no such file of decision points")
    return list(read([path], MAX_LINE_BYTES, ReadStats()))


def append(decision: Decision, path: Path) -> None:
    """Whole or not at all, behind what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, dumps(decision).encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def write(decisions: Sequence[Decision], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(map(dumps, decisions)), encoding="utf-8")


def _are_messages(messages: Any) -> bool:
    return isinstance(messages, list) and all(isinstance(one, dict) for one in messages)

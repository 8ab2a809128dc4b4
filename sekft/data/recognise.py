"""Tells the format of data by the first record of each file."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sekft.config import SourceConfig, SourceKind
from sekft.data.containers import HEAD_BYTES, Container, container, open_file
from sekft.data.files import find_files, locate
from sekft.data.lines import first_record
from sekft.data.source import gptme, rows
from sekft.data.source.rows import pair_columns, row_files, turn_column, turns_of
from sekft.errors import DataError

NAMES = {  # what a person calls the formats, for messages and docs
    SourceKind.messages: "conversations of {role, content} turns",
    SourceKind.sharegpt: "ShareGPT conversations of {from, value} turns",
    SourceKind.prompt_completion: "a prompt and its completion in each row",
    SourceKind.alpaca: "an instruction and its output in each row",
    SourceKind.trajectories: "trajectories, as sekft.collect records them",
    SourceKind.decisions: "decision points",
    SourceKind.oasst: "OpenAssistant trees",
    SourceKind.chatgpt_export: "a ChatGPT export",
    SourceKind.gptme: "gptme logs",
    SourceKind.tinystories: "TinyStories-Instruct text",
}
HINTS = {  # column -> why rows with it are not training data as they are
    "keep": "recorded by another tool; `python -m sekft.collect imports=FILE` makes trajectories of them",
    "chosen": "preference pairs; sekft learns from one answer: name its column, data.sources.own.column=chosen",
    "text": "plain text does not say which part the model wrote; give its turns as `messages`",
}

SHOWN = 3  # names of files that are left out
RECORDED = ("trajectories.jsonl", "conversations.jsonl")  # in the folder of a run of sekft.collect; its other files are copies and records


@dataclass(frozen=True)
class Recognised:
    """The formats of the files of a source. files: (file, format, container), by name.

    left_out: files of a folder that are not of its split, and *.json that hold no data.
    """

    files: tuple[tuple[Path, SourceKind, Container], ...]
    left_out: tuple[Path, ...]

    def line(self, path: str) -> str:
        """A line for the user: what was recognised, and what was left out."""
        counts = Counter((kind, box) for _, kind, box in self.files)
        amounts = {key: f"{count} files of " if len(self.files) > 1 else "" for key, count in counts.items()}
        found = [f"{amounts[kind, box]}{NAMES[kind]}, {box.value} (data.format={kind.value})" for kind, box in counts]
        more = f" and {len(self.left_out) - SHOWN} more" if len(self.left_out) > SHOWN else ""
        left_out = f"; left out: {', '.join(file.name for file in self.left_out[:SHOWN])}{more}" if self.left_out else ""
        return f"{path}: {'; '.join(found)}{left_out}"

    def parts(self, source: SourceConfig) -> Iterator[SourceConfig]:
        """The source as one source per file, each of the recognised format."""
        return (replace(source, kind=kind, path=str(file)) for file, kind, _ in self.files)


def recognise(source: SourceConfig) -> Recognised:
    """The formats of the files of a source. Raises DataError for a file that is not recognised, but not for *.json beside data."""
    location = locate(source.path or "", rows.DATA)
    files = [location] if location.is_file() else _recorded(location) or sorted(location.rglob(gptme.LOGS[0]))
    beside: list[Path] = []
    if not files:
        files = row_files(source)
        beside = [file for file in find_files(source.path or "", rows.DATA) if file not in files]
    kinds = {file: recognise_file(file, source) for file in files}
    found = tuple((file, kind, container(file)) for file, kind in kinds.items() if isinstance(kind, SourceKind))
    unknown = [file for file, kind in kinds.items() if not isinstance(kind, SourceKind)]
    if refused := [file for file in unknown if not found or file.suffix != ".json"]:
        formats = ", ".join(kind.value for kind in NAMES)
        raise DataError(f"{refused[0]}: not recognised: {kinds[refused[0]]}; allowed: data.format= one of {formats} (docs/data.md)")
    return Recognised(found, (*beside, *unknown))


def _recorded(folder: Path) -> list[Path]:
    """The training data in the folder of a run of sekft.collect; none in another folder."""
    return [folder / name for name in RECORDED if (folder / "run.json").exists() and (folder / name).exists()]


def recognise_file(file: Path, source: SourceConfig) -> SourceKind | str:
    """The format of a file, or what was found instead."""
    if container(file) is Container.text:
        with open_file(file) as stream:
            head = stream.read(HEAD_BYTES)
        is_stories = b"<|endoftext|>" in head and any(word in head for word in (b"Summary:", b"Story:"))
        return SourceKind.tinystories if is_stories else "plain text"
    record = first_record(file, source.max_line_bytes)
    return "no JSON record in it" if record is None else kind_of(record, source.column) or _describe(record, source.column)


def kind_of(record: Any, column: str | None = None) -> SourceKind | None:
    """The format of a record; None for one that is not known. column: the column of its turns, if that was given."""
    keys = record.keys() if isinstance(record, dict) else set()
    if "message_tree_id" in keys:
        return SourceKind.oasst
    if "mapping" in keys:
        return SourceKind.chatgpt_export
    if "continuation" in keys:
        return SourceKind.decisions
    if "messages" in keys and "ending" in keys:
        return SourceKind.trajectories
    if turns := turns_of(record, turn_column(record, column)):
        is_foreign = {"keep", "kept"} & keys and not column
        return None if is_foreign else SourceKind.sharegpt if "from" in turns[0] else SourceKind.messages
    if {"role", "content"} <= keys:
        return SourceKind.gptme
    return next((kind for kind in (SourceKind.alpaca, SourceKind.prompt_completion) if pair_columns(record, kind)), None)


def _describe(record: Any, column: str | None) -> str:
    """A record that is not known, for an error line. column: the column of its turns, if that was given."""
    if not isinstance(record, dict):
        return f"records that are {type(record).__name__}"
    if not column and (hint := next((hint for name, hint in HINTS.items() if name in record), None)):
        return f"rows with {_columns(record)}: {hint}"
    sought = f"no turns in {column}, which data.sources.own.column names" if column else "none of which holds turns"
    return f"rows with {_columns(record) or 'no field'}, {sought}"


def _columns(record: dict[str, Any]) -> str:
    """The first names of the fields of a record, in one line."""
    return " ".join(", ".join(list(map(str, record))[:12]).split())[:200]

"""Exports a source: its conversations as JSONL, a data card and, on request, the rendered text of a chosen base."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekft.config import SourceConfig
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.data.sources import Report, source_files, stream
from sekft.errors import Fault, RenderError
from sekft.rendering.render import render_all
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.tracking.digest import hash_path
from sekft.tracking.files import replacing

LINES, TEXT_LINES, TEXT_TABLE = "conversations.jsonl", "train.jsonl", "train.csv"
CARD_VERSION = 1


@dataclass
class ExportStats:
    """What was exported; filled sample by sample."""

    turns: Counter[int] = field(default_factory=Counter)  # number of conversations by number of turns
    characters: int = 0
    assistant_turns: int = 0
    times: list[float] = field(default_factory=list)  # [first, last], seconds since 1970; empty: unknown
    texts: int = 0  # rendered
    refused: Counter[str] = field(default_factory=Counter)  # conversations that cannot be rendered, by reason

    def add(self, sample: Sample) -> None:
        self.turns[len(sample.messages)] += 1
        self.characters += sum(len(message.content) for message in sample.messages)
        self.assistant_turns += sum(message.role == "assistant" for message in sample.messages)
        if sample.time is not None:
            self.times = [min([sample.time, *self.times]), max([sample.time, *self.times])]


def write(
    name: str, source: SourceConfig, folder: Path, tokenizer: ChatTokenizer | None, report: Report = lambda line: None
) -> dict[str, Any]:
    """Write the source's files into folder, each atomically, and return its card. Raises DataError, SettingsError.

    tokenizer: of the base whose text train.csv and train.jsonl hold, the same in both; None: they are not written. report: gets a line on
    the format that was recognised.
    """
    stats, exported = ReadStats(source.max_bad), ExportStats()
    with ExitStack() as stack:
        lines = stack.enter_context(replacing(folder / LINES))
        texts = [stack.enter_context(replacing(folder / name)) for name in (TEXT_LINES, TEXT_TABLE)] if tokenizer else []
        table = csv.writer(texts[1]) if texts else None
        if table:
            table.writerow(["text"])
        for sample in stream(name, source, stats, report):
            exported.add(sample)
            lines.write(_dumps(as_line(sample)))
            if tokenizer and table:
                for text in _texts(sample, tokenizer, exported):
                    texts[0].write(_dumps({"text": text}))
                    table.writerow([text])
    return data_card(name, source, stats, exported)


def as_line(sample: Sample) -> dict[str, Any]:
    """The sample as a row that source=hub reads; unknown fields are absent."""
    about = {"id": sample.id, "group": sample.group, "archetype": sample.archetype, "time": sample.time}
    messages = [
        {"role": message.role, "content": message.content, **({"weight": 0} if at in sample.unlearned else {})}
        for at, message in enumerate(sample.messages)
    ]
    return {**{key: value for key, value in about.items() if value not in ("", None)}, "messages": messages}


def data_card(name: str, source: SourceConfig, stats: ReadStats, exported: ExportStats) -> dict[str, Any]:
    """The card as in card.json: what was read, skipped (left_out), changed and exported; the same for the same files and settings."""
    turns = sorted(exported.turns.elements())
    return {
        "card_version": CARD_VERSION,
        "source": name,
        "settings": {key: value for key, value in asdict(source).items() if key != "path"},
        "files": {f"{file.parent.name}/{file.name}": hash_path(file) for file in source_files(name, source)},
        "conversations": exported.turns.total(),
        "assistant_turns": exported.assistant_turns,
        "turns": {"shortest": turns[0], "median": turns[len(turns) // 2], "longest": turns[-1]},
        "characters": exported.characters,
        "from_to": [datetime.fromtimestamp(time, UTC).isoformat() for time in exported.times],
        "left_out": dict(sorted(stats.skipped.items())),
        "changed": dict(sorted(stats.changed.items())),
        "bad": {"rows": len(stats.invalid), "first": stats.invalid[:3]},
        "texts": {"written": exported.texts, "refused": dict(sorted(exported.refused.items()))},
    }


def as_markdown(card: dict[str, Any]) -> str:
    """The card as a page: its plain values, a table for each group of counts, and what was dropped and why."""
    lines = [f"# Data card: {card['source']}", ""]
    lines += [f"- {name}: {value}" for name, value in card.items() if not isinstance(value, dict)]
    titles = {
        "turns": ("Turns of a conversation", "turns"),
        "left_out": ("Records dropped, by reason", "records"),
        "changed": ("Changes to conversations", "number"),
        "files": ("Files", "digest"),
    }
    for key, (title, column) in titles.items():
        if card[key]:
            lines += ["", f"## {title}", "", f"| | {column} |", "|---|---|"]
            lines += [f"| {name} | {value} |" for name, value in card[key].items()]
    invalid, texts = card["bad"], card["texts"]
    first = f"; the first: {invalid['first'][0]}" if invalid["first"] else ""
    reasons = "".join(f"; {reason}: {count}" for reason, count in texts["refused"].items())
    lines += ["", f"Invalid records dropped: {invalid['rows']}{first}.", ""]
    lines += [f"Texts written: {texts['written']}; conversations that cannot be rendered: {sum(texts['refused'].values())}{reasons}.", ""]
    return "\n".join(lines)


def _texts(sample: Sample, tokenizer: ChatTokenizer, exported: ExportStats) -> Iterator[str]:
    """The text of each training row, special tokens written out."""
    try:
        renderings = render_all(sample.messages, tokenizer, sample.failed, sample.unlearned)
    except RenderError as error:
        if error.fault is Fault.base:
            raise
        exported.refused[str(error)] += 1
        return
    for rendered in renderings:
        exported.texts += 1
        yield rendered.text


def _dumps(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"

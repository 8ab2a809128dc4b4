"""A source as it would be learned from, written down: one conversation a line, a data card, and on request the text a model is fed."""

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
from sekft.data.sources import source_files, stream
from sekft.errors import RenderError
from sekft.rendering.render import render_all
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.tracking.digest import of_path
from sekft.tracking.files import replacing

LINES, TEXT_LINES, TEXT_TABLE = "conversations.jsonl", "train.jsonl", "train.csv"
CARD_VERSION = 1


@dataclass
class Seen:
    """Filled sample by sample."""

    turns: Counter[int] = field(default_factory=Counter)  # conversations, by how many
    characters: int = 0
    replies: int = 0
    times: list[float] = field(default_factory=list)  # first and last
    texts: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # renderings, by reason

    def add(self, sample: Sample) -> None:
        self.turns[len(sample.messages)] += 1
        self.characters += sum(len(message.content) for message in sample.messages)
        self.replies += sum(message.role == "assistant" for message in sample.messages)
        if sample.time is not None:
            self.times = [min([sample.time, *self.times]), max([sample.time, *self.times])]


def write(name: str, source: SourceConfig, folder: Path, tokenizer: ChatTokenizer | None) -> dict[str, Any]:
    """Everything under its name only when it is whole; returns the card. tokenizer: whose text train.csv and train.jsonl hold, the
    same in both; None: neither. Raises DataError, SettingsError."""
    stats, seen = ReadStats(source.max_bad), Seen()
    with ExitStack() as stack:
        lines = stack.enter_context(replacing(folder / LINES))
        texts = [stack.enter_context(replacing(folder / at)) for at in (TEXT_LINES, TEXT_TABLE)] if tokenizer else []
        table = csv.writer(texts[1]) if texts else None
        if table:
            table.writerow(["text"])
        for sample in stream(name, source, stats):
            seen.add(sample)
            lines.write(_dumps(as_line(sample)))
            if tokenizer and table:
                for text in _texts(sample, tokenizer, seen):
                    texts[0].write(_dumps({"text": text}))
                    table.writerow([text])
    return card(name, source, stats, seen)


def as_line(sample: Sample) -> dict[str, Any]:
    """As source=hub reads it again; what is not known is not there."""
    about = {"id": sample.id, "group": sample.group, "archetype": sample.archetype, "time": sample.time}
    messages = [{"role": message.role, "content": message.content} for message in sample.messages]
    return {**{key: value for key, value in about.items() if value not in ("", None)}, "messages": messages}


def card(name: str, source: SourceConfig, stats: ReadStats, seen: Seen) -> dict[str, Any]:
    """What was read, and what became of the rest; the same for the same files and settings."""
    turns = sorted(seen.turns.elements())
    return {
        "card_version": CARD_VERSION,
        "source": name,
        "settings": {key: value for key, value in asdict(source).items() if key != "path"},
        "files": {f"{file.parent.name}/{file.name}": of_path(file) for file in source_files(name, source)},
        "conversations": seen.turns.total(),
        "assistant_turns": seen.replies,
        "turns": {"shortest": turns[0], "median": turns[len(turns) // 2], "longest": turns[-1]},
        "characters": seen.characters,
        "from_to": [datetime.fromtimestamp(time, UTC).isoformat() for time in seen.times],
        "left_out": dict(sorted(stats.skipped.items())),
        "changed": dict(sorted(stats.changed.items())),
        "bad": {"rows": len(stats.invalid), "first": stats.invalid[:3]},
        "texts": {"written": seen.texts, "refused": dict(sorted(seen.refused.items()))},
    }


def as_markdown(card: dict[str, Any]) -> str:
    """Plain values as a list, then a table of every group of counts that holds any."""
    lines = [f"# Data card: {card['source']}", ""]
    lines += [f"- {name}: {value}" for name, value in card.items() if not isinstance(value, dict)]
    for title in ("turns", "left_out", "changed", "files"):
        if card[title]:
            lines += ["", f"## {title.replace('_', ' ')}", "", "| what | |", "|---|---|"]
            lines += [f"| {what} | {count} |" for what, count in card[title].items()]
    return "\n".join([*lines, "", f"Bad rows: {card['bad']['rows']}. Texts: {card['texts']['written']}.", ""])


def _texts(sample: Sample, tokenizer: ChatTokenizer, seen: Seen) -> Iterator[str]:
    """What is trained on, special tokens written out, up to the last stop token."""
    try:
        renderings = render_all(sample.messages, tokenizer, sample.failed)
    except RenderError as error:
        seen.refused[str(error).partition(": ")[2]] += 1
        return
    for rendered in renderings:
        seen.texts += 1
        yield rendered.text


def _dumps(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"

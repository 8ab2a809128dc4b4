"""Reads logs of gptme (<name>/conversation.jsonl): filters conversations, redacts secrets, converts tool calls."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sekft.config import SourceConfig
from sekft.config.data import Calls, Filter, System
from sekft.data.conversation import Text, Turn, leading_system_turns, to_conversation
from sekft.data.files import find_files
from sekft.data.lines import parse_line, read_lines
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample, seconds
from sekft.data.tool_calls import to_episode
from sekft.tracking.secrets import looking, redacted

LOGS = ("conversation.jsonl", "conversation.jsonl.gz")
AUTO_NAMED = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+){3}")  # date, then adjective, colour, animal
CONFUSED = re.compile(r"\b(i apologi[sz]e|apologies|i'?m sorry|sorry,? (about|for)|confus(ed|ion)|my mistake)\b", re.I)


class LogMessage(BaseModel):
    """A line of a log. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: Text
    timestamp: datetime | None = None
    ui_only: bool = False


def _auto_named(name: str, messages: Sequence[LogMessage]) -> bool:
    return AUTO_NAMED.fullmatch(name) is not None


def _test(name: str, messages: Sequence[LogMessage]) -> bool:
    return "-test-" in f"-{name}-"


def _duplicates(name: str, messages: Sequence[LogMessage]) -> bool:
    return max(Counter(message.content for message in messages if message.role != "system").values(), default=0) > 1


def _confusion(name: str, messages: Sequence[LogMessage]) -> bool:
    return any(message.role == "assistant" and CONFUSED.search(message.content) for message in messages)


FILTERS: dict[Filter, tuple[str, Callable[[str, Sequence[LogMessage]], bool]]] = {  # reason, whether the conversation is skipped
    Filter.auto_named: ("auto-named", _auto_named),
    Filter.test: ("a test by its name", _test),
    Filter.duplicates: ("the same message twice", _duplicates),
    Filter.confusion: ("words of confusion", _confusion),
}


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample per conversation that passes source.filters; its time is that of its first message."""
    with looking():
        for file in find_files(source.path or "", LOGS):
            log = file.parent.name if file.name in LOGS else file.stem
            messages = list(_messages(file, source, stats))
            if reason := next((FILTERS[filter][0] for filter in source.filters if FILTERS[filter][1](log, messages)), None):
                stats.skip(reason)
            elif found := to_conversation(_turns(messages, source, stats), source.system or System.drop, stats):
                yield Sample(f"{name}/{log}", f"{name}/{log}", name, found.messages, is_chat=True, time=_time(messages))


def _messages(file: Path, source: SourceConfig, stats: ReadStats) -> Iterator[LogMessage]:
    """The messages of a log up to its first invalid line: what follows that line would answer something else."""
    for line in read_lines([file], source.max_line_bytes, stats):
        if (message := parse_line(line, LogMessage, stats)) is None:
            return
        yield message


def _turns(messages: Sequence[LogMessage], source: SourceConfig, stats: ReadStats) -> list[Turn]:
    turns = [Turn(message.role, message.content) for message in messages if not message.ui_only]
    stats.count_change("messages only for the screen dropped", len(messages) - len(turns))
    if source.redact:
        turns = [Turn(turn.role, _redacted(turn.text, stats)) for turn in turns]
    if source.calls is Calls.text:
        return turns
    leading = leading_system_turns(turns)
    return [*turns[:leading], *to_episode(turns[leading:], stats)]


def _redacted(text: str, stats: ReadStats) -> str:
    clean, count = redacted(text)
    stats.count_change("secrets redacted", count)
    return clean


def _time(messages: Sequence[LogMessage]) -> float | None:
    return next((seconds(message.timestamp) for message in messages if message.timestamp), None)

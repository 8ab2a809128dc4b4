"""Logs of gptme, a folder of <name>/conversation.jsonl: filtered by counted reasons, secrets redacted, tool calls as asked."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sekft.config import SourceConfig
from sekft.config.data import Calls, Filter
from sekft.data.conversation import Role, Text, conversation
from sekft.data.files import find_files
from sekft.data.lines import read_records
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.data.tool_calls import to_episode
from sekft.tracking.secrets import looking, redacted

LOGS = ("conversation.jsonl", "conversation.jsonl.gz")
AUTO_NAMED = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+){3}")  # date, then adjective, colour, animal
CONFUSED = re.compile(r"\b(i apologi[sz]e|apologies|i'?m sorry|sorry,? (about|for)|confus(ed|ion)|my mistake)\b", re.I)


class Said(BaseModel):
    """A line of a log; fields that are not here are left unread."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: Text
    timestamp: datetime | None = None
    ui_only: bool = False


def _auto_named(name: str, said: Sequence[Said]) -> bool:
    return AUTO_NAMED.fullmatch(name) is not None


def _test(name: str, said: Sequence[Said]) -> bool:
    return "-test-" in f"-{name}-"


def _duplicates(name: str, said: Sequence[Said]) -> bool:
    return max(Counter(one.content for one in said if one.role != "system").values(), default=0) > 1


def _confusion(name: str, said: Sequence[Said]) -> bool:
    return any(one.role == "assistant" and CONFUSED.search(one.content) for one in said)


FILTERS: dict[Filter, tuple[str, Callable[[str, Sequence[Said]], bool]]] = {
    Filter.auto_named: ("auto-named", _auto_named),
    Filter.test: ("a test by its name", _test),
    Filter.duplicates: ("the same message twice", _duplicates),
    Filter.confusion: ("words of confusion", _confusion),
}


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample a conversation that no filter takes; its archetype is the name of its log, its time that of its first message."""
    with looking():
        for file in find_files(source.path or "", LOGS):
            log = file.parent.name if file.name in LOGS else file.stem
            said = [one for _, one in read_records([file], Said, source.max_line_bytes, stats)]
            if reason := next((FILTERS[one][0] for one in source.filters if FILTERS[one][1](log, said)), None):
                stats.skip(reason)
            elif turns := conversation(_turns(said, source, stats), source.system, stats):
                yield Sample(f"{name}/{log}", f"{name}/{log}", name, turns, is_chat=True, time=_time(said))


def _turns(said: Sequence[Said], source: SourceConfig, stats: ReadStats) -> list[tuple[Role, str]]:
    shown: list[tuple[Role, str]] = [(one.role, one.content) for one in said if not one.ui_only]
    stats.change("messages only for the screen left out", len(said) - len(shown))
    if source.redact:
        shown = [(role, _redacted(text, stats)) for role, text in shown]
    if source.calls is Calls.text:
        return shown
    lead = next((at for at, (role, _) in enumerate(shown) if role != "system"), len(shown))
    return [*shown[:lead], *to_episode(shown[lead:], stats)]


def _redacted(text: str, stats: ReadStats) -> str:
    clean, count = redacted(text)
    stats.change("secrets redacted", count)
    return clean


def _time(said: Sequence[Said]) -> float | None:
    return next((one.timestamp.timestamp() for one in said if one.timestamp), None)

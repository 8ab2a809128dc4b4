"""Any record and any file of an export is read, counted as a loss, or refused in one line: never another exception."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sekft.collect import imports
from sekft.config import SourceConfig, SourceKind
from sekft.config.data import Calls
from sekft.data.reader import ReadStats
from sekft.data.sources import stream
from sekft.errors import DataError
from sekft.rendering.messages import canonical

RECORDS = 200  # of a file
TURNS: list[Any] = [
    {"role": "user", "content": "$ "}, {"role": "assistant", "content": "ls", "weight": 1}, {"from": "human", "value": "x"},
    {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "ls"}}]}, {"role": "tool", "content": [{"type": "text"}]},
    {"sender": "human", "text": "x", "content": [{"type": "thinking", "thinking": "y"}], "files": [{}]},
]  # fmt: skip
NODE = {"parent": None, "message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["$ "]}, "recipient": "all"}}
ANSWER = {
    "parent": "a",
    "message": {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["exit"]}, "weight": 1.0},
}
SEEDS: dict[str, list[Any]] = {
    "messages": [{"id": 1, "messages": TURNS}, {"messages": TURNS[:2], "group": "g", "archetype": "a", "time": 1}, TURNS[:2]],
    "sharegpt": [{"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y", "train": True}]}],
    "alpaca": [{"instruction": "x", "input": "y", "output": "z", "system": "s", "history": [["a", "b"], ["c", "d"]]}],
    "prompt_completion": [{"prompt": [TURNS[0]], "completion": [TURNS[1]]}, {"prompt": "x", "completion": "y", "system": "s"}],
    "chatgpt_export": [{"id": "c", "mapping": {"a": NODE, "b": ANSWER}, "current_node": "b", "create_time": 1.5}],
    "gptme": [
        {"role": "user", "content": "Look."}, {"role": "assistant", "content": "```shell\nls\n```", "timestamp": "2025-01-01T10:00:00"},
        {"role": "system", "content": "Ran command: `ls`\n\n```stdout\na\n```\n\n```stderr\nb\n```\n\nReturn code: 1\n"},
        {"role": "assistant", "content": '@shell(functions.shell:0): {"command": "ls"}'},
        {"role": "assistant", "content": "<think>x</think>"},
    ],
    "oasst": [
        {"message_id": "m", "message_tree_id": "t", "text": "x", "role": "prompter", "labels": {"quality": {"value": 1}}},
        {"message_id": "n", "message_tree_id": "t", "text": "y", "role": "assistant", "parent_id": "m", "created_date": "2023-01-02"},
    ],
    "decisions": [{"id": "d", "context": [{"role": "user", "content": "$ "}], "continuation": "ls"}],
    "imports": [{"messages": TURNS[:2], "keep": True, "meta": {"clean": False}, "steps": 1, "outcome": "verified", "scenario_id": "s"}],
}  # fmt: skip
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", " ", "x", "\0", "\ud800", "```", "[", "[1", [], [[]], [None], {}, {"type": "text"}, {"a": {}},
]  # fmt: skip


def changed(value: Any, rng: random.Random) -> Any:
    """The value with an odd one somewhere in it, or something added, removed, or put a level deeper."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        rest = {name: inner for name, inner in value.items() if name != key}
        pick = rng.random()
        return rest if pick < 0.15 else {**rest, f"{key}_": value[key]} if pick < 0.2 else {**rest, key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        inner = [] if (pick := rng.random()) < 0.1 else [value[at], value[at]] if pick < 0.2 else [changed(value[at], rng)]
        return [*value[:at], *inner, *value[at + 1 :]]
    if isinstance(value, str) and value and rng.random() < 0.5:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice(["`", "\n", "```\n", "\0", "\u2028", "<think>", "é", ""]) + value[at + rng.randrange(3) :]
    return rng.choice([*ODD, {"x": value}, [value]])


def line_of(record: Any, rng: random.Random) -> bytes:
    """The record as a line, sometimes cut off or with a byte changed."""
    line = json.dumps(record).encode()
    if rng.random() < 0.1:
        at = rng.randrange(len(line) + 1)
        return line[:at] + rng.choice([b"", b"\xff", b"\xef\xbb\xbf", b"\r", b"}"]) + (line[at + 1 :] if rng.random() < 0.5 else b"")
    return line


def write(kind: str, folder: Path, rng: random.Random, amount: int) -> Path:
    """A file of changed records in a container of some sort."""
    records = []
    is_log = kind == "gptme"  # whose lines are one conversation
    for number in range(amount + 4 * is_log):
        record = SEEDS[kind][number % len(SEEDS[kind])] if is_log else rng.choice(SEEDS[kind])
        for _ in range(rng.randrange(4) if not is_log or rng.random() < 0.1 else 0):
            record = changed(record, rng)
        records.append(record)
    if is_log:
        path = folder / "kite" / "conversation.jsonl"
    else:
        path = folder / ("conversations.json" if kind == "chatgpt_export" else rng.choice(["a.jsonl", "a.jsonl", "a.json"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    start = b"\xef\xbb\xbf" if rng.random() < 0.2 else b""
    if path.suffix == ".json":
        path.write_bytes(start + line_of(records, rng))
    else:
        path.write_bytes(start + b"\n".join(line_of(record, rng) for record in records))
    return path


def reading(kind: str, path: Path, rng: random.Random) -> int:
    """The number of conversations that were read."""
    if kind == "imports":
        return len(imports.read(path)[0])
    stats = ReadStats(rng.choice([None, 10**9]), name="own")
    source = SourceConfig(kind=SourceKind(rng.choice([kind, "auto"])), path=str(path), calls=rng.choice(list(Calls)), filters=[])
    samples = list(stream("own", source, stats, lambda line: None))
    for sample in samples:
        assert sample.messages[-1].role == "assistant" and (sample.decision or canonical(sample.messages) == sample.messages)
        assert all(sample.messages[turn].role == "assistant" for turn in sample.unlearned)
    return len(samples)


def fuzz(kind: str, seed: int, folder: Path, amount: int, read: Callable[..., int] = reading) -> int:
    rng = random.Random(f"{kind}{seed}")
    path = write(kind, folder / str(seed), rng, amount)
    try:
        return read(kind, path, rng)
    except DataError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        return 0


@pytest.mark.parametrize("kind", SEEDS)
def test_odd_records_are_read_counted_or_refused_in_one_line(kind: str, tmp_path: Path):
    assert sum(fuzz(kind, seed, tmp_path, 1 + seed % 6) for seed in range(40)) > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", SEEDS)
def test_many_odd_records_are_read_counted_or_refused_in_one_line(kind: str, tmp_path: Path):
    for seed in range(100, 1100):
        fuzz(kind, seed, tmp_path, RECORDS if seed % 10 == 0 else 1 + seed % 5)

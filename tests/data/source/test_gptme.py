"""gptme's logs: all fields, three encodings of tool calls, filters by counted reasons, secrets redacted."""

from pathlib import Path
from typing import Any

import pytest

from sekft.config.data import Calls, Filter, System
from sekft.data.tool_calls import find_tool_calls
from sekft.errors import DataError
from sekft.tracking.secrets import looking, redacted
from tests.data.source.reading import put, read, turns


def line(role: str, content: str, **more: Any) -> dict[str, Any]:
    extra = {
        "timestamp": "2025-01-02T03:04:05+00:00",
        "files": ["a"],
        "pinned": False,
        "metadata": {"model": "m", "usage": {"input_tokens": 3}},
    }
    return {"role": role, "content": content} | extra | more


LOG = [
    line("system", "You are helpful.", pinned=True),
    line("user", "How many lines has notes.txt?"),
    line("assistant", "Let me count.\n\n```shell\nwc -l notes.txt\n```", call_id="c1"),
    line("system", "Ran command: `wc -l notes.txt`\n\n```stdout\n12 notes.txt\n```"),
    line("assistant", "It has 12 lines."),
]


def log(folder: Path, name: str, *lines: dict[str, Any]) -> Path:
    put(folder / name / "conversation.jsonl", lines or LOG)
    return folder


def test_a_log_becomes_alternating_turns_and_tool_output_is_a_user_turn(tmp_path: Path):
    [sample], stats = read("gptme", log(tmp_path, "count-lines"), system=System.drop)
    assert [role for role, _ in turns(sample)] == ["user", "assistant", "user", "assistant"]
    assert turns(sample)[2][1].startswith("Ran command") and (sample.id, sample.time) == ("gptme/count-lines", 1735787045.0)
    assert stats.changed == {"system turns dropped": 1}
    [folded], _ = read("gptme", tmp_path, system=System.fold)
    assert turns(folded)[0][1] == "You are helpful.\nHow many lines has notes.txt?"


def test_every_filter_counts_what_it_skips(tmp_path: Path):
    log(tmp_path, "2025-01-02-happy-blue-whale")
    log(tmp_path, "eval-test-3")
    log(tmp_path, "twice", *LOG, LOG[1], LOG[4])
    log(tmp_path, "sorry", *LOG, line("user", "No."), line("assistant", "I apologize for the confusion."))
    log(tmp_path, "kept")
    samples, stats = read("gptme", tmp_path)
    assert [sample.id for sample in samples] == ["gptme/kept"]
    assert stats.skipped == {"auto-named": 1, "a test by its name": 1, "the same message twice": 1, "words of confusion": 1}
    assert len(read("gptme", tmp_path, filters=[Filter.test])[0]) == 4 and len(read("gptme", tmp_path, filters=[])[0]) == 5


@pytest.mark.parametrize(
    "content",
    [
        "So:\n\n```shell\nls -l {a,b}\n```\n",
        '@shell(call-1): {"command": "ls -l {a,b}"}',
        '@shell(call-1): {\n  "command": "ls -l {a,b}"\n}\nand more',
        "<tool-use>\n<shell>\nls -l {a,b}\n</shell>\n</tool-use>",
    ],
)
def test_every_encoding_of_a_call_gives_the_same_command(content: str):
    assert [(call.tool, call.text) for call in find_tool_calls(content)] == [("shell", "ls -l {a,b}")]


def test_text_that_only_looks_like_a_call_is_no_call():
    assert find_tool_calls("```json\n{}\n```\n@someone(x): hello\n@shell(x): {broken") == []


def test_episodes_hold_only_commands_and_what_they_printed(tmp_path: Path):
    [sample], stats = read("gptme", log(tmp_path, "a"), calls=Calls.shell, system=System.drop)
    assert turns(sample) == [("user", "How many lines has notes.txt?\n$ "), ("assistant", "wc -l notes.txt")]
    assert stats.changed["answers without a command dropped"] == 1
    more = [
        line("assistant", '@shell(2): {"command": "ls"}'),
        line("system", "Ran command: `ls`\n\n```stdout\na\n```"),
        line("assistant", "```ipython\n1\n```"),
    ]
    log(tmp_path, "a", *LOG[:4], *more)
    [sample], stats = read("gptme", tmp_path, calls=Calls.shell, system=System.drop)
    assert [text for role, text in turns(sample) if role == "assistant"] == ["wc -l notes.txt", "ls"]
    assert turns(sample)[2] == ("user", "12 notes.txt\n$ ") and stats.changed["ended before a call of ipython"] == 1


SECRETS = ["AKIAIOSFODNN7EXAMPLE", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx",
           "sk-proj-abcdefghijABCDEFGHIJ0123456789abcdefghij"]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_no_part_of_a_secret_is_left(tmp_path: Path, secret: str):
    log(tmp_path, "a", line("user", f"use {secret} here\nand {secret}"), line("assistant", f"export KEY={secret}"))
    [sample], stats = read("gptme", tmp_path)
    text = "".join(content for _, content in turns(sample))
    assert secret[4:] not in text and "redacted]" in text and stats.changed["secrets redacted"] >= 3
    assert secret in "".join(content for _, content in turns(read("gptme", tmp_path, redact=False)[0][0]))


def test_a_private_key_is_redacted_whole_and_ordinary_text_stays():
    key = "before\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nqwer\n-----END RSA PRIVATE KEY-----\nafter"
    with looking():
        assert redacted(key) == ("before\n[private key redacted]\nafter", 1)
        for text in ("ls -la /usr/lib/python3", "commit 8f14e45fceea167a5a36dedd4bea2543", "```shell\ncat key.txt\n```"):
            assert redacted(text) == (text, 0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"role": "system"', "Invalid JSON"),
        ('{"role": "king", "content": ""}', "role: Input should be"),
        ('{"role": "user", "content": "a\\u0000"}', "a NUL at 1"),
        ('{"role": "user", "content": 3}', "content: Input"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str, message: str):
    file = log(tmp_path, "a") / "a" / "conversation.jsonl"
    file.write_text(file.read_text() + bad + "\n")
    with pytest.raises(DataError, match=rf"a/conversation.jsonl:6: .*{message}"):
        read("gptme", tmp_path)
    assert len(read("gptme", tmp_path, max_bad=1)[0]) == 1

"""gptme's logs: all fields, three encodings of tool calls, filters by counted reasons, secrets redacted."""

from pathlib import Path
from typing import Any

import pytest

from sekft.config.data import Calls, Filter, System
from sekft.data.conversation import Turn
from sekft.data.reader import ReadStats
from sekft.data.tool_calls import find_tool_calls, to_episode
from sekft.errors import DataError
from sekft.sandbox.text import environment_turn
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


NOTES = "cat > N.md << 'EOF'\n# N\n\n```sh\nmake kite\n```\n\nEnd.\nEOF"
SHORT = f"Ran command: `cat > N.md << 'EOF'... ({NOTES.count(chr(10)) + 1} lines)`\n\nNo output\n"
LS = "Ran command: `ls`\n\n`a`\n\n"
RAN: dict[str, tuple[str, list[str], list[str], str]] = {  # answer, what gptme wrote, the commands that are learned, why it ended
    "a fence in a here-document": (f"```shell\n{NOTES}\n```", [SHORT], [NOTES], ""),
    "four backticks": (f"````shell\n{NOTES}\n````", [SHORT], [NOTES], ""),
    "a block as an example": ("```shell\nls\n```\n\nI expect:\n\n```\na\n```", [LS], ["ls"], ""),
    "a block in a thought": ("<think>\n```shell\nrm a\n```\n</think>\n```shell\nls\n```", [LS], ["ls"], ""),
    "a quoted block": ("> ```shell\n> rm a\n> ```\n\n```shell\nls\n```", [LS], ["ls"], ""),
    "two commands": ("```shell\nls\n```\n\n```shell\npwd\n```", [LS, "Ran command: `pwd`\n\n`/`\n\n"],
                     ["ls", "pwd"], ""),
    "edited before it ran": ("```shell\nrm a\n```", [LS], ["ls"], ""),
    "a call id with dots": ('@shell(functions.shell:0): {"command": "ls"}', ["Ran allowlisted command: `ls`\n\n`a`\n\n"], ["ls"], ""),
    "another long command": (f"```shell\n{NOTES}\n```", [SHORT.replace("(9", "(4")], [],
                             "ended before a command whose report is of another one"),
    "declined": ("```shell\nls\n```", ["Execution declined by user"], [], "ended before a command that was not run"),
    "timed out": ("```shell\nls\n```", ["Command timed out (after 60s): `ls`\n\n"], [],
                  "ended before a command that did not run to its end"),
    "a new tool": ("```quill a\nx\n```\n\n```shell\nls\n```", ["Wrote a", LS], [],
                   "ended before a call of quill"),
    "output cut": ("```shell\nls\n```", ["Ran command: `ls`\n\n```stdout\na\n... (output truncated) ...\nb\n```\n\n"], ["ls"],
                   "ended after an output that is not whole"),
    "a hint behind it": ("```shell\nls\n```", ["Ran command: `ls`\n\n```stdout\na\nb\n```\n\nWorkspace found"], ["ls"],
                         "ended after an output that is not whole"),
}  # fmt: skip


@pytest.mark.parametrize("name", RAN)
def test_what_gptme_ran_is_learned_and_nothing_else(name: str):
    answer, reports, commands, ended = RAN[name]
    stats = ReadStats()
    log = [Turn("user", "Do it."), Turn("assistant", answer), *(Turn("system", report) for report in reports)]
    episode = to_episode([*log, Turn("assistant", "```shell\nend\n```"), Turn("system", "Ran command: `end`\n\nNo output\n")], stats)
    assert [turn.text for turn in episode if turn.role == "assistant"] == (commands if ended else [*commands, "end"])
    assert not ended or stats.changed[ended] == 1


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ("No output\n", ""),
        ("`a`\n\n", "a"),
        ("````stdout\n# K\n\n```sh\nmake\n```\n\nFly.\n````\n\n", "# K\n\n```sh\nmake\n```\n\nFly."),
        ("```stdout\n# K\n\n```sh\nmake\n```\n\nFly.\n```\n\n", "# K\n\n```sh\nmake\n```\n\nFly."),
        ("```stdout\na\nb\n```\n\n```stderr\nc\nd\n```\n\nReturn code: 2\n", "a\nb\nc\nd"),
        ("```stdout\na\nb\n```\n\n`warning`\n\nReturn code: 2\n", "a\nb\nwarning"),
    ],
)
def test_an_output_is_what_the_command_printed(body: str, output: str):
    turns = [Turn("user", "Do it."), Turn("assistant", "```shell\nls\n```"), Turn("system", f"Ran command: `ls`\n\n{body}")]
    more = [Turn("assistant", "```shell\nend\n```"), Turn("system", "Ran command: `end`\n\nNo output\n")]
    assert to_episode([*turns, *more], ReadStats())[2].text == environment_turn(output, "ready")


def test_a_line_that_cannot_be_read_ends_its_log(tmp_path: Path):
    file = log(tmp_path, "a") / "a" / "conversation.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, "{", *lines[1:]]))
    [sample], stats = read("gptme", tmp_path, max_bad=None, filters=[])
    assert len(sample.messages) == 4 and len(stats.invalid) == 1


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

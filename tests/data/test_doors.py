"""One conversation enters by every door and has the same ids behind each; what is no text is nowhere erased without a word."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from transformers import PreTrainedTokenizerFast

from sekft.collect import imports
from sekft.config import MaskConfig, MaskRule
from sekft.data.export import as_line
from sekft.data.sample import Sample
from sekft.mask.rules import weigh
from sekft.model import base
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids, render, render_all
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.serve.request import ChatRequest, parse
from tests.data.source.reading import put, read, turns

TOKENIZER = ChatTokenizer(Path(base.__file__).parent / "tiny")
TALK = [("user", ["Welcome, \u00e9 </s>", "$ "]), ("assistant", ["cat a", "ls"]), ("user", ["a\n$ "]), ("assistant", ["exit"])]
PARTS = [{"role": role, "content": [{"type": "text", "text": text} for text in texts]} for role, texts in TALK]
PLAIN = [{"role": role, "content": "\n".join(texts)} for role, texts in TALK]
MESSAGES = tuple(Message(role=role, content="\n".join(texts)) for role, texts in TALK)  # type: ignore[arg-type]


def chatgpt(folder: Path) -> Path:
    nodes = {
        str(at): {
            "parent": str(at - 1) if at else None,
            "message": {"author": {"role": role}, "content": {"content_type": "text", "parts": texts}},
        }
        for at, (role, texts) in enumerate(TALK)
    }
    (folder / "conversations-000.json").write_text("\ufeff" + json.dumps([{"id": "c", "mapping": nodes, "current_node": "3"}]))
    return folder / "conversations-000.json"


def claude(folder: Path) -> Path:
    said = [
        {
            "sender": "human" if turn["role"] == "user" else "assistant",
            "text": "",
            "content": turn["content"],
            "attachments": [],
            "files": [],
        }
        for turn in PARTS
    ]
    said[1] |= {"content": [], "text": PLAIN[1]["content"]}  # an older export has the text alone
    (folder / "conversations.json").write_text(json.dumps([{"uuid": "c", "name": "", "chat_messages": said}]))
    return folder / "conversations.json"


def rows(folder: Path) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist([{"messages": PARTS}]), folder / "train-00000-of-00001.parquet")
    return folder


def log(folder: Path) -> Path:
    put(folder / "greeting" / "conversation.jsonl", PLAIN)
    return folder


def odd(turn: dict[str, Any]) -> dict[str, Any]:
    return {"role": turn["role"].upper(), "content": turn["content"], "tool_calls": [], "function_call": None, "name": None}


SHAREGPT = [{"from": "human" if turn["role"] == "user" else "GPT", "value": turn["content"]} for turn in PLAIN]
FILES = {
    "hub rows": ("messages", rows),
    "messages as JSON Lines": ("messages", lambda folder: put(folder / "a.jsonl", [{"messages": [odd(turn) for turn in PARTS]}])),
    "a JSON list": ("messages", lambda folder: put(folder / "a.json", [[{"messages": PLAIN}]])),
    "ShareGPT": ("sharegpt", lambda folder: put(folder / "a.jsonl", [{"conversations": SHAREGPT}])),
    "an export of ChatGPT": ("chatgpt_export", chatgpt),
    "an export of Claude": ("auto", claude),
    "a log of gptme": ("gptme", log),
}


def served(trained: tuple[int, ...], prompt: list[int]) -> bool:
    """Whether the ids of the prompt before the last turn are the start of the row, and its stop token is all that follows the reply."""
    return list(trained[: len(prompt)]) == prompt and 0 < len(trained) - len(prompt) < 5


def test_one_conversation_has_the_same_ids_behind_every_door(tmp_path: Path):
    expected = render(MESSAGES, TOKENIZER).ids
    for name, (kind, make) in FILES.items():
        folder = tmp_path / name
        folder.mkdir()
        [sample], stats = read(kind, make(folder))
        assert render(sample.messages, TOKENIZER).ids == expected and not stats.changed, name
    for file in (put(tmp_path / "episode.jsonl", [{"messages": PARTS, "keep": True}]), put(tmp_path / "list.json", [PLAIN])):
        [episode], left_out = imports.read(file)
        assert render(episode.messages, TOKENIZER).ids == expected and not left_out
    for asked in (PARTS, PLAIN):
        request = parse(json.dumps({"model": "m", "messages": asked[:3]}).encode(), ChatRequest, 9)
        assert served(expected, prompt_ids(request.conversation(), TOKENIZER))
    server: Any = PreTrainedTokenizerFast.from_pretrained(TOKENIZER.folder)
    server.chat_template = TOKENIZER.canonical_template
    nulls = [{"role": "system", "content": None}, *PARTS[:3]]
    for asked in (PARTS[:3], PLAIN[:3], [{**turn, "role": turn["role"].title()} for turn in PARTS[:3]]):
        assert served(expected, server.apply_chat_template(asked, add_generation_prompt=True, return_dict=False))
    assert server.apply_chat_template(nulls, add_generation_prompt=True, return_dict=False) == prompt_ids(
        [Message(role="system", content=""), *MESSAGES[:3]], TOKENIZER
    )


CALL = {"id": "1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
CALLS = {
    "content null": {"role": "assistant", "content": None, "tool_calls": [CALL]},
    "no content": {"role": "assistant", "tool_calls": [CALL]},
    "content empty": {"role": "assistant", "content": "", "tool_calls": [CALL]},
    "text beside the call": {"role": "assistant", "content": "I look.", "tool_calls": [CALL]},
    "the older field": {"role": "assistant", "content": None, "function_call": CALL["function"]},
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_of_a_tool_ends_the_conversation_and_is_never_erased(call: dict[str, Any], tmp_path: Path):
    after = [{"role": "tool", "content": "a"}, {"role": "assistant", "content": "One."}]
    talk = [*PLAIN, {"role": "user", "content": "Which files?"}, call, *after]
    [sample], stats = read("messages", put(tmp_path / "a.jsonl", [{"messages": talk}]))
    assert sample.messages == MESSAGES and stats.changed == {"ended before a call of ls": 1, "turns after the last answer dropped": 1}
    samples, stats = read("messages", put(tmp_path / "b.jsonl", [{"messages": talk[4:]}, {"messages": PLAIN}]))
    assert len(samples) == 1 and stats.skipped == {"a call of ls before any answer": 1}
    assert imports.read(put(tmp_path / "c.jsonl", [{"messages": talk}, PLAIN]))[1] == {"a call of ls": 1}
    server: Any = PreTrainedTokenizerFast.from_pretrained(TOKENIZER.folder)
    server.chat_template = TOKENIZER.canonical_template
    if "tool_calls" in call:
        with pytest.raises(Exception, match="a call of a tool; allowed: turns of text"):
            server.apply_chat_template(talk[:-1], tokenize=False)


FOREIGN = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "What is it?"}]},
    {"sender": "human", "text": "Read it.", "attachments": [{"file_name": "a.txt"}]},
    {"from": "function_call", "value": "{}"},
    {"role": "assistant", "content": [{"type": "text", "text": "I look."}, {"type": "tool_use", "name": "ls", "input": {}}]},
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_turn_that_is_more_than_text_ends_the_conversation_before_it(foreign: dict[str, Any], tmp_path: Path):
    [sample], stats = read("messages", put(tmp_path / "a.jsonl", [{"messages": [*PLAIN, foreign, PLAIN[1]]}]))
    assert sample.messages == MESSAGES and any(change.startswith("ended before ") for change in stats.changed)


def test_thoughts_beside_the_text_are_left_out_and_counted(tmp_path: Path):
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, *PARTS[1]["content"]]
    talk = [PLAIN[0], {"role": "assistant", "content": thought}, PLAIN[2], {**PLAIN[3], "reasoning_content": "hm"}]
    [sample], stats = read("messages", put(tmp_path / "a.jsonl", [{"messages": talk}]))
    assert sample.messages == MESSAGES and stats.changed == {"thoughts dropped": 2}


@pytest.mark.parametrize("flag", [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"training": "false"}, {"loss": False}])
def test_a_turn_that_its_record_keeps_from_being_learned_is_context(flag: dict[str, Any], tmp_path: Path):
    talk = [PLAIN[0], PLAIN[1] | flag, PLAIN[2], PLAIN[3] | {next(iter(flag)): 1}]
    [sample], stats = read("messages", put(tmp_path / "a.jsonl", [{"messages": talk}]))
    assert sample.messages == MESSAGES and sample.unlearned == {1} and stats.changed == {"turns marked as not to be learned": 1}
    assert learned(sample) == {3}
    again, _ = read("messages", put(tmp_path / "again.jsonl", [as_line(sample)]))
    assert again[0].unlearned == {1}
    [episode], _ = imports.read(put(tmp_path / "b.jsonl", [{"messages": talk, "keep": True}]))
    (tmp_path / "c.jsonl").write_text(episode.model_dump_json() + "\n")
    assert learned(read("trajectories", tmp_path / "c.jsonl")[0][0]) == {3}
    samples, stats = read("messages", put(tmp_path / "d.jsonl", [{"messages": [PLAIN[0], PLAIN[1] | flag]}, {"messages": PLAIN}]))
    assert len(samples) == 1 and stats.skipped == {"every answer is marked as not to be learned": 1}


def learned(sample: Sample) -> set[int]:
    """The turns that mask=assistant learns."""
    return {
        turn
        for row in render_all(sample.messages, TOKENIZER, sample.failed, sample.unlearned)
        for turn, weight in zip(row.turns, weigh(row, MaskConfig(rule=MaskRule.assistant)), strict=True)
        if weight
    }


def test_two_turns_that_become_one_message_are_learned_only_if_both_are(tmp_path: Path):
    talk = [PLAIN[0], PLAIN[1] | {"weight": 0}, PLAIN[3], PLAIN[2], PLAIN[3]]
    [sample], _ = read("messages", put(tmp_path / "a.jsonl", [{"messages": talk}]))
    assert turns(sample)[1] == ("assistant", "cat a\nls\nexit") and sample.unlearned == {1}

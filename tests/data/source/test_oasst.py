"""OpenAssistant trees: the best-ranked path, and errors for broken trees."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sekft.errors import DataError
from tests.data.source.reading import put, read, turns


def node(id: str, role: str, *replies: dict[str, Any], **more: Any) -> dict[str, Any]:
    quality = {"quality": {"value": 0.75, "count": 3}}
    return {"message_id": id, "text": f"text of {id}", "role": role, "lang": "en", "labels": quality, "replies": list(replies)} | more


def tree(prompt: dict[str, Any], id: str = "t", state: str = "ready_for_export") -> dict[str, Any]:
    return {"message_tree_id": id, "tree_state": state, "prompt": prompt}


BEST = node("a2", "assistant", node("p2", "prompter", node("a4", "assistant", rank=0)), node("p3", "prompter"), rank=0)
TREE = tree(node("p1", "prompter", node("a1", "assistant", rank=1), BEST, created_date="2023-01-02T03:04:05+00:00"))


def flat(record: dict[str, Any], lists: bool = False) -> list[dict[str, Any]]:
    """The same tree as flat messages."""
    out, waiting = [], [(record["prompt"], None)]
    while waiting:
        message, parent = waiting.pop(0)
        waiting += [(reply, message["message_id"]) for reply in message["replies"]]
        about = {"message_tree_id": record["message_tree_id"], "tree_state": record["tree_state"], "parent_id": parent}
        labels = {"name": ["quality"], "value": [0.75], "count": [3]} if lists else message["labels"]
        out.append({**{key: value for key, value in message.items() if key != "replies"}, **about, "labels": labels})
    return out


def test_the_best_ranked_path_is_taken_and_ends_on_an_answer(tmp_path: Path):
    [sample], _ = read("oasst", put(tmp_path / "x.trees.jsonl", [TREE]))
    assert [text for _, text in turns(sample)] == [f"text of {name}" for name in ("p1", "a2", "p2", "a4")]
    assert [role for role, _ in turns(sample)] == ["user", "assistant"] * 2 and sample.time == 1672628645.0


@pytest.mark.parametrize("lists", [False, True])
def test_flat_messages_in_any_order_are_the_same_trees(tmp_path: Path, lists: bool):
    trees = [json.loads(json.dumps(TREE).replace('"t"', f'"t{number}"')) for number in range(3)]
    nested, _ = read("oasst", put(tmp_path / "nested" / "x.trees.jsonl", trees))
    messages = [message for record in trees for message in flat(record, lists)]
    mixed = sorted(messages, key=lambda message: message["text"], reverse=True)
    with gzip.open(tmp_path / "x.messages.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(message) + "\n" for message in mixed)
    got, _ = read("oasst", tmp_path / "x.messages.jsonl.gz", min_quality=0.7)
    assert sorted(map(str, got)) == sorted(map(str, nested)) and len(got) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deleted": True}, "deleted"),
        ({"review_result": False}, "rejected in review"),
        ({"lang": "de"}, "in another language"),
        ({"labels": {"quality": {"value": 0.1, "count": 1}}}, "below quality 0.5"),
        ({"labels": {}}, "below quality 0.5"),
        ({"role": "prompter"}, "of the same role as the message before"),
    ],
)
def test_unusable_replies_are_not_used_and_counted(tmp_path: Path, change: dict[str, Any], reason: str):
    worse, better = node("a1", "assistant", rank=1), node("a2", "assistant", rank=0) | change
    path = put(tmp_path / "x.jsonl", [tree(node("p1", "prompter", worse, better))])
    [sample], stats = read("oasst", path, langs=["en"], min_quality=0.5)
    assert turns(sample)[1] == ("assistant", "text of a1") and stats.changed == {f"replies not used: {reason}": 1}


def test_trees_that_are_not_ready_or_repeated_or_whose_prompt_is_unusable_are_counted(tmp_path: Path):
    lost = [tree(TREE["prompt"], "u", "growing"), TREE, tree(node("p", "prompter", lang="de"), "v"), tree(node("p", "prompter"), "w")]
    samples, stats = read("oasst", put(tmp_path / "x.jsonl", [TREE, *lost]), langs=["en"])
    assert len(samples) == 1 and stats.skipped == {
        "tree_state growing": 1,
        "a tree with the id of an earlier one": 1,
        "the prompt is in another language": 1,
        "no assistant turn": 1,
    }


def test_a_tree_of_ten_thousand_turns_needs_no_recursion(tmp_path: Path):
    depth = 10_000
    text = "".join(
        f'{{"message_id": "m{at}", "text": "x{at}", "role": "{("prompter", "assistant")[at % 2]}", "replies": [' for at in range(depth)
    )
    (tmp_path / "x.trees.jsonl").write_text(f'{{"message_tree_id": "t", "prompt": {text}{"]}" * depth}}}\n')
    [sample], _ = read("oasst", tmp_path / "x.trees.jsonl")
    assert len(sample.messages) == depth and sample.messages[-1].content == "x9999"


CYCLE = [{**message, "parent_id": {"a2": "a4", "p1": None}.get(message["message_id"], message["parent_id"])} for message in flat(TREE)]
HOSTILE = {
    "a cycle of parents": (CYCLE, r"x.jsonl:3: message a2: its parents form a cycle (a2 <- a4 <- p2 <- a2)"),
    "a missing parent": ([flat(TREE)[0], {**flat(TREE)[1], "parent_id": "gone"}], "message a1: its parent gone is missing"),
    "an id twice": ([*flat(TREE), flat(TREE)[1]], "x.jsonl:7: message a1: a second time in tree t"),
    "a second root": ([*flat(TREE), {**flat(TREE)[0], "message_id": "z"}], "message z: a second root of tree t, beside p1"),
    "another parent than it stands below": ([tree(node("p", "prompter", node("a", "prompter", parent_id="q")))], "found below p"),
    "replies that are no list": ([tree(node("p", "prompter") | {"replies": {"a": 1}})], "replies: found dict, allowed: a list"),
    "a wrong type": ([tree(node("p", "prompter", rank="best"))], "rank: Input should be a valid integer"),
    "an unknown role": ([tree(node("p", "bishop"))], "role: Input should be 'prompter' or 'assistant'"),
    "a NUL": ([tree(node("p", "prompter", text="a\0b"))], "text: a NUL at 1"),
    "no prompt": ([{"message_tree_id": "t", "prompt": 3, "replies": 1}], "x.jsonl:1: prompt: Field required"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_tree_is_an_error_of_one_line_with_file_and_number(tmp_path: Path, name: str):
    records, message = HOSTILE[name]
    with pytest.raises(DataError, match=re.escape(message)) as refused:
        read("oasst", put(tmp_path / "x.jsonl", records))
    assert re.match(rf"{tmp_path}/x.jsonl:\d+: ", str(refused.value)) and "\n" not in str(refused.value)


def test_the_rest_of_a_tree_with_a_cycle_is_read(tmp_path: Path):
    [sample], stats = read("oasst", put(tmp_path / "x.jsonl", CYCLE), max_bad=1)
    assert [text for _, text in turns(sample)] == ["text of p1", "text of a1"] and len(stats.invalid) == 1

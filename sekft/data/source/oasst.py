"""Reads OpenAssistant trees, nested or as flat messages: the best-ranked path of each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sekft.config import SourceConfig
from sekft.data.conversation import Turn, to_conversation
from sekft.data.files import find_files
from sekft.data.lines import JSONL, Line, parse_line, read_lines
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.data.tree import Node, Tree, best_path, build_tree, parse_tree

READY = "ready_for_export"


class TreeOfMessage(BaseModel):
    """The fields of a flat message that name its tree."""

    model_config = ConfigDict(frozen=True)

    message_tree_id: str
    tree_state: str | None = None


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample per tree that is ready for export."""
    seen: set[str] = set()
    for file in find_files(source.path or "", JSONL):
        for tree in _trees(file, source.max_line_bytes, stats):
            if tree.state not in (READY, None):
                stats.skip(f"tree_state {tree.state}")
            elif tree.id in seen:
                stats.skip("a tree with the id of an earlier one")
            else:
                seen.add(tree.id)
                yield from _sample(name, source, tree, stats)


def _sample(name: str, source: SourceConfig, tree: Tree, stats: ReadStats) -> Iterator[Sample]:
    path = best_path(tree, frozenset(source.langs), source.min_quality, stats)
    if path:
        turns = [Turn("assistant" if node.role == "assistant" else "user", node.text) for node in path]
        if conversation := to_conversation(turns, source.system, stats):
            yield Sample(f"{name}/{tree.id}", f"{name}/{tree.id}", name, conversation.messages, is_chat=True, time=path[0].time)


def _trees(file: Path, max_bytes: int, stats: ReadStats) -> Iterator[Tree]:
    """The trees of a file, which is nested if its first line has a prompt with replies, else flat."""
    first = next(read_lines([file], max_bytes, ReadStats(max_bad=10**9)), None)
    if first and b'"prompt"' in first.text and b'"replies"' in first.text:
        for line in read_lines([file], max_bytes, stats):
            if (tree := parse_tree(line, stats)) is not None:
                yield tree
    else:
        yield from _gather(file, max_bytes, stats)


def _gather(file: Path, max_bytes: int, stats: ReadStats) -> Iterator[Tree]:
    """The trees of flat messages in any order. A first pass counts the messages, so that a tree leaves memory with its last one."""
    expected: Counter[str] = Counter()
    for line in read_lines([file], max_bytes, ReadStats(max_bad=10**9)):
        if (owner := parse_line(line, TreeOfMessage, ReadStats(max_bad=10**9))) is not None:
            expected[owner.message_tree_id] += 1
    waiting: dict[str, list[Line]] = {}
    for line in read_lines([file], max_bytes, stats):
        if (owner := parse_line(line, TreeOfMessage, stats)) is None:
            continue
        tree = owner.message_tree_id
        waiting.setdefault(tree, []).append(line)
        if len(waiting[tree]) == expected[tree]:
            yield build_tree(tree, owner.tree_state, _nodes(waiting.pop(tree), stats), stats)


def _nodes(lines: Sequence[Line], stats: ReadStats) -> list[tuple[str, Node]]:
    return [(line.location, node) for line in lines if (node := parse_line(line, Node, stats)) is not None]

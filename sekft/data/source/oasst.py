"""OpenAssistant's trees, nested or flat: of each the path on which every turn is the best that was said there."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sekft.config import SourceConfig
from sekft.data.conversation import conversation
from sekft.data.files import find_files
from sekft.data.lines import JSONL, Line, parse_line, read_lines
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.data.tree import Node, Tree, best_path, flat, grown

READY = "ready_for_export"


class Flat(BaseModel):
    """What says which tree a flat message is of."""

    model_config = ConfigDict(frozen=True)

    message_tree_id: str
    tree_state: str | None = None


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample a tree that is ready for export."""
    seen: set[str] = set()
    for file in find_files(source.path or "", JSONL):
        for tree in _trees(file, source.max_line_bytes, stats):
            if tree.state not in (READY, None):
                stats.skip(f"tree_state {tree.state}")
            elif tree.id in seen:
                stats.skip("a tree for the second time")
            else:
                seen.add(tree.id)
                yield from _sample(name, source, tree, stats)


def _sample(name: str, source: SourceConfig, tree: Tree, stats: ReadStats) -> Iterator[Sample]:
    path = best_path(tree, frozenset(source.langs), source.min_quality, stats)
    if path:
        turns = conversation([("assistant" if node.role == "assistant" else "user", node.text) for node in path], source.system, stats)
        if turns:
            yield Sample(f"{name}/{tree.id}", f"{name}/{tree.id}", name, turns, is_chat=True, time=path[0].time)


def _trees(file: Path, max_bytes: int, stats: ReadStats) -> Iterator[Tree]:
    """Nested where the first line has a prompt, else flat."""
    first = next(read_lines([file], max_bytes, ReadStats(max_bad=10**9)), None)
    if first and b'"prompt"' in first.text and b'"replies"' in first.text:
        for line in read_lines([file], max_bytes, stats):
            if (tree := flat(line, stats)) is not None:
                yield tree
    else:
        yield from _gathered(file, max_bytes, stats)


def _gathered(file: Path, max_bytes: int, stats: ReadStats) -> Iterator[Tree]:
    """Flat messages by tree, in any order; a tree is let go as soon as its last message was met, so a first pass counts them."""
    expected: Counter[str] = Counter()
    for line in read_lines([file], max_bytes, ReadStats(max_bad=10**9)):
        if (about := parse_line(line, Flat, ReadStats(max_bad=10**9))) is not None:
            expected[about.message_tree_id] += 1
    waiting: dict[str, list[Line]] = {}
    for line in read_lines([file], max_bytes, stats):
        if (about := parse_line(line, Flat, stats)) is None:
            continue
        tree = about.message_tree_id
        waiting.setdefault(tree, []).append(line)
        if len(waiting[tree]) == expected[tree]:
            yield grown(tree, about.tree_state, _nodes(waiting.pop(tree), stats), stats)


def _nodes(found: Sequence[Line], stats: ReadStats) -> list[tuple[str, Node]]:
    return [(line.where, node) for line in found if (node := parse_line(line, Node, stats)) is not None]

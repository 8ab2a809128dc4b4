"""OpenAssistant's trees, nested or flat: of each the path on which every turn is the best that was said there."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sekft.config import SourceConfig
from sekft.data.conversation import conversation
from sekft.data.files import files
from sekft.data.lines import JSONL, Line, lines, parsed
from sekft.data.reader import Tally
from sekft.data.sample import Sample
from sekft.data.tree import Node, Tree, best_path, flat, grown

READY = "ready_for_export"


class Flat(BaseModel):
    """What says which tree a flat message is of."""

    model_config = ConfigDict(frozen=True)

    message_tree_id: str
    tree_state: str | None = None


def read(name: str, source: SourceConfig, tally: Tally) -> Iterator[Sample]:
    """One sample a tree that is ready for export."""
    seen: set[str] = set()
    for file in files(source.path or "", JSONL):
        for tree in _trees(file, source.max_line_bytes, tally):
            if tree.state not in (READY, None):
                tally.leave_out(f"tree_state {tree.state}")
            elif tree.id in seen:
                tally.leave_out("a tree for the second time")
            else:
                seen.add(tree.id)
                yield from _sample(name, source, tree, tally)


def _sample(name: str, source: SourceConfig, tree: Tree, tally: Tally) -> Iterator[Sample]:
    path = best_path(tree, frozenset(source.langs), source.min_quality, tally)
    if path:
        turns = conversation([("assistant" if node.role == "assistant" else "user", node.text) for node in path], source.system, tally)
        if turns:
            yield Sample(f"{name}/{tree.id}", f"{name}/{tree.id}", name, turns, talk=True, time=path[0].time)


def _trees(file: Path, max_bytes: int, tally: Tally) -> Iterator[Tree]:
    """Nested where the first line has a prompt, else flat."""
    first = next(lines([file], max_bytes, Tally(max_bad=10**9)), None)
    if first and b'"prompt"' in first.text and b'"replies"' in first.text:
        for line in lines([file], max_bytes, tally):
            if (tree := flat(line, tally)) is not None:
                yield tree
    else:
        yield from _gathered(file, max_bytes, tally)


def _gathered(file: Path, max_bytes: int, tally: Tally) -> Iterator[Tree]:
    """Flat messages by tree, in any order; a tree is let go as soon as its last message was met, so a first pass counts them."""
    expected: Counter[str] = Counter()
    for line in lines([file], max_bytes, Tally(max_bad=10**9)):
        if (about := parsed(line, Flat, Tally(max_bad=10**9))) is not None:
            expected[about.message_tree_id] += 1
    waiting: dict[str, list[Line]] = {}
    for line in lines([file], max_bytes, tally):
        if (about := parsed(line, Flat, tally)) is None:
            continue
        tree = about.message_tree_id
        waiting.setdefault(tree, []).append(line)
        if len(waiting[tree]) == expected[tree]:
            yield grown(tree, about.tree_state, _nodes(waiting.pop(tree), tally), tally)


def _nodes(found: Sequence[Line], tally: Tally) -> list[tuple[str, Node]]:
    return [(line.where, node) for line in found if (node := parsed(line, Node, tally)) is not None]

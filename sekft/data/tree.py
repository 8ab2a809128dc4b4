"""A tree of messages: built from nested or flat records without recursion, and its best path."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from sekft.data.conversation import Text
from sekft.data.deep import parse
from sekft.data.lines import Line
from sekft.data.reader import ReadStats
from sekft.errors import validation_line

LAST = 10**6  # rank of what nobody ranked


class Node(BaseModel):
    """A message of OpenAssistant; fields that are not here are left unread."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    parent_id: str | None = None
    text: Text
    role: Literal["prompter", "assistant"]
    lang: str | None = None
    review_result: bool | None = None
    deleted: bool | None = None
    rank: int | None = None
    labels: dict[str, float] = {}
    created_date: datetime | None = None

    @field_validator("labels", mode="before")
    @classmethod
    def _values(cls, labels: Any) -> Any:
        """{name: {value, count}}, or {name: [...], value: [...]}, as {name: value}."""
        if not isinstance(labels, dict):
            return labels or {}
        if isinstance(labels.get("name"), list):
            return dict(zip(labels["name"], labels.get("value", []), strict=False))
        return {name: label.get("value") if isinstance(label, dict) else label for name, label in labels.items()}

    @property
    def time(self) -> float | None:
        return self.created_date.timestamp() if self.created_date else None


@dataclass(frozen=True)
class Tree:
    id: str
    state: str | None
    root: Node | None
    children: dict[str, list[Node]]  # by the id of their parent, in the order of the file


def flat(line: Line, stats: ReadStats) -> Tree | None:
    """A nested tree; None, and refused, if it cannot be read."""
    try:
        found = parse(line.text)
        if not isinstance(found, dict) or not isinstance(found.get("prompt"), dict):
            raise ValueError("prompt: Field required")
        nodes = _unnested(found["prompt"])
    except ValidationError as error:
        stats.reject(line.where, validation_line(error))
        return None
    except ValueError as error:
        stats.reject(line.where, f"{error}".splitlines()[0])
        return None
    id = str(found.get("message_tree_id") or nodes[0].message_id)
    return grown(id, found.get("tree_state"), [(line.where, node) for node in nodes], stats)


def _unnested(prompt: dict[str, Any]) -> list[Node]:
    """Every message, a parent before its replies. Raises ValueError for one that does not stand below its parent."""
    nodes: list[Node] = []
    waiting: list[tuple[Any, str | None]] = [(prompt, None)]
    while waiting:
        record, above = waiting.pop()
        replies = (record.get("replies") or []) if isinstance(record, dict) else []
        node = Node.model_validate(
            {key: value for key, value in record.items() if key != "replies"} if isinstance(record, dict) else record
        )
        if node.parent_id not in (above, None):
            raise ValueError(f"message {node.message_id}: parent_id {node.parent_id}, found below {above}")
        nodes.append(node.model_copy(update={"parent_id": above}))
        if not isinstance(replies, list):
            raise ValueError(f"message {node.message_id}: replies: found {type(replies).__name__}, allowed: a list")
        waiting += [(reply, node.message_id) for reply in reversed(replies)]
    return nodes


def grown(id: str, state: str | None, found: Sequence[tuple[str, Node]], stats: ReadStats) -> Tree:
    """The tree of these messages. Refused: an id for the second time, a second root, a message that no root leads to."""
    nodes: dict[str, Node] = {}
    children: dict[str, list[Node]] = {}
    places: dict[str, str] = {}
    root: Node | None = None
    for where, node in found:
        if node.message_id in nodes:
            stats.reject(where, f"message {node.message_id}: for the second time in tree {id}")
            continue
        nodes[node.message_id], places[node.message_id] = node, where
        if node.parent_id is None:
            if root is not None:
                stats.reject(where, f"message {node.message_id}: a second root of tree {id}, beside {root.message_id}")
                continue
            root = node
        else:
            children.setdefault(node.parent_id, []).append(node)
    reached = _reached(root, children)
    lost = {name for name in nodes if name not in reached and nodes[name].parent_id is not None}
    for name in sorted(lost & {_top(name, nodes) for name in lost}):
        gone = nodes[name].parent_id not in nodes
        why = f"its parent {nodes[name].parent_id} is not there" if gone else f"its parents go round in a circle ({_circle(name, nodes)})"
        stats.reject(places[name], f"message {name}: {why}")
    return Tree(id, state, root, children)


def _reached(root: Node | None, children: dict[str, list[Node]]) -> set[str]:
    reached: set[str] = set()
    waiting = [root] if root else []
    while waiting:
        node = waiting.pop()
        reached.add(node.message_id)
        waiting += children.get(node.message_id, [])
    return reached


def _top(name: str, nodes: dict[str, Node]) -> str:
    """The ancestor whose parent is missing, or the least of a circle."""
    seen: list[str] = []
    while name not in seen:
        seen.append(name)
        parent = nodes[name].parent_id
        if parent is None or parent not in nodes:
            return name
        name = parent
    return min(seen[seen.index(name) :])


def _circle(name: str, nodes: dict[str, Node]) -> str:
    seen = [name]
    while (parent := nodes[seen[-1]].parent_id) not in (*seen, None) and len(seen) < 5:
        seen.append(str(parent))
    return " <- ".join([*seen, name if parent == name else "..."])


def best_path(tree: Tree, langs: frozenset[str], min_quality: float, stats: ReadStats) -> list[Node]:
    """From the root, each time to the best-ranked fit reply of the other role; of two prompts that nobody ranked, to the one
    that was answered. Empty, and counted, where the root is not fit."""
    if tree.root is None or tree.root.role != "prompter":
        stats.skip("a tree without a prompt")
        return []
    if why := _unfit(tree.root, langs, min_quality):
        stats.skip(f"the prompt is {why}")
        return []
    path = [tree.root]
    while replies := _fit(path[-1], tree, langs, min_quality, stats):
        path.append(min(replies, key=lambda node: (LAST if node.rank is None else node.rank, not tree.children.get(node.message_id))))
    return path


def _fit(parent: Node, tree: Tree, langs: frozenset[str], min_quality: float, stats: ReadStats) -> list[Node]:
    fit = []
    for node in tree.children.get(parent.message_id, []):
        why = "of the same role as what it answers" if node.role == parent.role else _unfit(node, langs, min_quality)
        if why:
            stats.change(f"replies passed over: {why}")
        else:
            fit.append(node)
    return fit


def _unfit(node: Node, langs: frozenset[str], min_quality: float) -> str:
    if node.deleted:
        return "deleted"
    if node.review_result is False:
        return "rejected in review"
    if langs and node.lang not in langs:
        return "of another language"
    if min_quality and node.labels.get("quality", 0.0) < min_quality:
        return f"below quality {min_quality}"
    return ""

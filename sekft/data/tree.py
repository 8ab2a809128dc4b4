"""OpenAssistant's message trees: built from nested or flat records without recursion, and their best path."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import from_json

from sekft.data.conversation import Text
from sekft.data.lines import Line
from sekft.data.reader import ReadStats
from sekft.data.sample import seconds
from sekft.errors import validation_line

UNRANKED = 10**6  # sorts behind every rank


class Node(BaseModel):
    """A message. Unknown fields are ignored."""

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
        if isinstance(names := labels.get("name"), list) and isinstance(values := labels.get("value"), list):
            return {str(name): value for name, value in zip(names, values, strict=False)}
        return {name: label.get("value") if isinstance(label, dict) else label for name, label in labels.items()}

    @property
    def time(self) -> float | None:
        return seconds(self.created_date) if self.created_date else None


@dataclass(frozen=True)
class Tree:
    id: str
    state: str | None
    root: Node | None
    children: dict[str, list[Node]]  # by the id of their parent, in the order of the file


def parse_tree(line: Line, stats: ReadStats) -> Tree | None:
    """The nested tree of a line; None, and rejected in stats, if it cannot be read."""
    try:
        document = _parse_json(line.text)
        if not isinstance(document, dict) or not isinstance(document.get("prompt"), dict):
            raise ValueError("prompt: Field required")
        nodes = _flatten(document["prompt"])
    except ValidationError as error:
        stats.reject(line.location, validation_line(error))
        return None
    except ValueError as error:
        stats.reject(line.location, f"{error}".splitlines()[0])
        return None
    id = str(document.get("message_tree_id") or nodes[0].message_id)
    return build_tree(id, document.get("tree_state"), [(line.location, node) for node in nodes], stats)


def _parse_json(text: bytes) -> Any:
    """The JSON value of the text, however deep it is nested. Raises ValueError."""
    try:
        return from_json(text)
    except ValueError as error:
        if "recursion limit" not in str(error):
            raise
    import ijson

    try:
        return _build_json(ijson.basic_parse(text, use_float=True))
    except ijson.JSONError as error:
        raise ValueError(str(error).splitlines()[0]) from None


def _build_json(events: Any) -> Any:
    """The value of a stream of ijson's (event, value) pairs."""
    root: list[Any] = []
    stack: list[Any] = [root]
    keys: list[str] = [""]
    for event, value in events:
        match event:
            case "map_key":
                keys[-1] = value
            case "end_map" | "end_array":
                stack.pop()
                keys.pop()
            case _:
                item = {"start_map": {}, "start_array": []}.get(event, value)
                if isinstance(stack[-1], dict):
                    stack[-1][keys[-1]] = item
                else:
                    stack[-1].append(item)
                if event.startswith("start_"):
                    stack.append(item)
                    keys.append("")
    return root[0]


def _flatten(prompt: dict[str, Any]) -> list[Node]:
    """Every message, parents before their replies. Raises ValueError if a message's parent_id is not the message it is nested in."""
    nodes: list[Node] = []
    waiting: list[tuple[Any, str | None]] = [(prompt, None)]
    while waiting:
        record, above = waiting.pop()
        replies = (record.get("replies") or []) if isinstance(record, dict) else []
        node = Node.model_validate(
            {key: value for key, value in record.items() if key != "replies"} if isinstance(record, dict) else record
        )
        if node.parent_id not in (above, None):
            raise ValueError(f"message {node.message_id}: parent_id {node.parent_id}, found below {above}; allowed: its parent's replies")
        nodes.append(node.model_copy(update={"parent_id": above}))
        if not isinstance(replies, list):
            raise ValueError(f"message {node.message_id}: replies: found {type(replies).__name__}, allowed: a list")
        waiting += [(reply, node.message_id) for reply in reversed(replies)]
    return nodes


def build_tree(id: str, state: str | None, located: Sequence[tuple[str, Node]], stats: ReadStats) -> Tree:
    """The tree of (location, message) pairs. Rejected in stats: a repeated id, a second root, a message that the root does not reach."""
    nodes: dict[str, Node] = {}
    children: dict[str, list[Node]] = {}
    locations: dict[str, str] = {}
    root: Node | None = None
    for location, node in located:
        if node.message_id in nodes:
            stats.reject(location, f"message {node.message_id}: a second time in tree {id}; allowed: once")
            continue
        nodes[node.message_id], locations[node.message_id] = node, location
        if node.parent_id is None:
            if root is not None:
                stats.reject(location, f"message {node.message_id}: a second root of tree {id}, beside {root.message_id}; allowed: one")
                continue
            root = node
        else:
            children.setdefault(node.parent_id, []).append(node)
    reached = _reached(root, children)
    lost = {name for name in nodes if name not in reached and nodes[name].parent_id is not None}
    for name in sorted(lost & {_topmost(name, nodes) for name in lost}):
        missing = nodes[name].parent_id not in nodes
        problem = f"its parent {nodes[name].parent_id} is missing" if missing else f"its parents form a cycle ({_cycle(name, nodes)})"
        stats.reject(locations[name], f"message {name}: {problem}")
    return Tree(id, state, root, children)


def _reached(root: Node | None, children: dict[str, list[Node]]) -> set[str]:
    """The ids of the root and all messages below it."""
    reached: set[str] = set()
    waiting = [root] if root else []
    while waiting:
        node = waiting.pop()
        reached.add(node.message_id)
        waiting += children.get(node.message_id, [])
    return reached


def _topmost(name: str, nodes: dict[str, Node]) -> str:
    """The ancestor whose parent is missing, or the smallest id of a cycle of ancestors."""
    seen: list[str] = []
    while name not in seen:
        seen.append(name)
        parent = nodes[name].parent_id
        if parent is None or parent not in nodes:
            return name
        name = parent
    return min(seen[seen.index(name) :])


def _cycle(name: str, nodes: dict[str, Node]) -> str:
    """The cycle from this message on, up to five messages of it, for an error."""
    seen = [name]
    while (parent := nodes[seen[-1]].parent_id) not in (*seen, None) and len(seen) < 5:
        seen.append(str(parent))
    return " <- ".join([*seen, name if parent == name else "..."])


def best_path(tree: Tree, langs: frozenset[str], min_quality: float, stats: ReadStats) -> list[Node]:
    """The path from the root that takes the best-ranked usable reply at every turn; of unranked prompts one that has replies.

    Empty, and skipped in stats, if the root is not usable.
    """
    if tree.root is None or tree.root.role != "prompter":
        stats.skip("a tree without a prompt")
        return []
    if problem := _problem(tree.root, langs, min_quality):
        stats.skip(f"the prompt is {problem}")
        return []
    path = [tree.root]
    while replies := _usable_replies(path[-1], tree, langs, min_quality, stats):
        path.append(min(replies, key=lambda node: (UNRANKED if node.rank is None else node.rank, not tree.children.get(node.message_id))))
    return path


def _usable_replies(parent: Node, tree: Tree, langs: frozenset[str], min_quality: float, stats: ReadStats) -> list[Node]:
    usable = []
    for node in tree.children.get(parent.message_id, []):
        problem = "of the same role as the message before" if node.role == parent.role else _problem(node, langs, min_quality)
        if problem:
            stats.count_change(f"replies not used: {problem}")
        else:
            usable.append(node)
    return usable


def _problem(node: Node, langs: frozenset[str], min_quality: float) -> str:
    """Why a message is not used; empty if it is."""
    if node.deleted:
        return "deleted"
    if node.review_result is False:
        return "rejected in review"
    if langs and node.lang not in langs:
        return "in another language"
    if min_quality and node.labels.get("quality", 0.0) < min_quality:
        return f"below quality {min_quality}"
    return ""

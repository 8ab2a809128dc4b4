"""Preference pairs: where a keeper and a reject of the same scenario part, what was typed by each; as TRL's DPOTrainer takes them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sekft.episode.trajectory import Outcome, Trajectory
from sekft.rendering.messages import Message

Row = dict[str, Any]


def pairs(episodes: Sequence[Trajectory]) -> tuple[list[Row], Counter[str]]:
    """(rows {prompt, chosen, rejected, ...} in the order of the rejects, rejects that gave none by reason).

    One row per reject, against the keeper it has most in common with. Both sides are the one turn typed at the parting: what the
    environment answers is nobody's preference.
    """
    keepers: dict[str, list[Trajectory]] = defaultdict(list)
    for episode in episodes:
        if episode.kept:
            keepers[episode.scenario_id].append(episode)
    rows: list[Row] = []
    none: Counter[str] = Counter()
    seen: set[str] = set()
    for reject in episodes:
        if reject.kept:
            continue
        row, why = _row(reject, keepers[reject.scenario_id])
        if row is None:
            none[why] += 1
        elif (known := f"{row['prompt']}{row['chosen']}{row['rejected']}") in seen:
            none["the same pair again"] += 1
        else:
            seen.add(known)
            rows.append(row)
    return rows, none


def _row(reject: Trajectory, keepers: Sequence[Trajectory]) -> tuple[Row | None, str]:
    if reject.outcome is Outcome.broken:
        return None, "its place broke"
    if not keepers:
        return None, "no keeper of this scenario"
    keeper = max(keepers, key=lambda episode: (_common(episode.messages, reject.messages), episode.id))
    at = _common(keeper.messages, reject.messages)
    if at == len(reject.messages):
        return None, "it only stops earlier"
    if at == len(keeper.messages):
        return None, "it only goes on longer"
    if keeper.messages[at].role != "assistant":
        return None, "the same command showed something else"
    return {
        "id": f"{reject.id}/{at}",
        "scenario_id": reject.scenario_id,
        "rejected_outcome": reject.outcome.value,
        "prompt": _plain(keeper.messages[:at]),
        "chosen": _plain(keeper.messages[at : at + 1]),
        "rejected": _plain(reject.messages[at : at + 1]),
    }, ""


def _common(one: Sequence[Message], other: Sequence[Message]) -> int:
    """How many messages both begin with."""
    return next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [message.model_dump() for message in messages]

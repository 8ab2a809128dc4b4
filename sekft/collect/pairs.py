"""Preference pairs for TRL's DPOTrainer: the two turns typed where a kept and a rejected trajectory of one scenario diverge."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sekft.episode.trajectory import Outcome, Trajectory
from sekft.rendering.messages import Message

PairRow = dict[str, Any]


def preference_pairs(episodes: Sequence[Trajectory]) -> tuple[list[PairRow], Counter[str]]:
    """(rows {prompt, chosen, rejected, ...} in the order of the rejects, number of rejects without a pair by reason).

    Each reject is paired with the kept trajectory that shares the longest beginning with it. chosen and rejected are the single turn
    typed at the divergence: a preference over the environment's answers would teach the model to predict them.
    """
    kept: dict[str, list[Trajectory]] = defaultdict(list)
    for episode in episodes:
        if episode.kept:
            kept[episode.scenario_id].append(episode)
    rows: list[PairRow] = []
    without_pair: Counter[str] = Counter()
    seen: set[str] = set()
    for reject in episodes:
        if reject.kept:
            continue
        row, reason = _pair(reject, kept[reject.scenario_id])
        if row is None:
            without_pair[reason] += 1
        elif (content := f"{row['prompt']}{row['chosen']}{row['rejected']}") in seen:
            without_pair["duplicate pair"] += 1
        else:
            seen.add(content)
            rows.append(row)
    return rows, without_pair


def _pair(reject: Trajectory, kept: Sequence[Trajectory]) -> tuple[PairRow | None, str]:
    """The row, or None and the reason why there is none."""
    if reject.outcome is Outcome.broken:
        return None, "its session or its agent's endpoint failed"
    if not kept:
        return None, "no kept trajectory of this scenario"
    best = max(kept, key=lambda episode: (_common_length(episode.messages, reject.messages), episode.id))
    at = _common_length(best.messages, reject.messages)
    if at == len(reject.messages):
        return None, "it is the beginning of a kept trajectory"
    if at == len(best.messages):
        return None, "it continues after the end of a kept trajectory"
    if best.messages[at].role != "assistant":
        return None, "the same command gave another output"
    return {
        "id": f"{reject.id}/{at}",
        "scenario_id": reject.scenario_id,
        "rejected_outcome": reject.outcome.value,
        "prompt": _as_dicts(best.messages[:at]),
        "chosen": _as_dicts(best.messages[at : at + 1]),
        "rejected": _as_dicts(reject.messages[at : at + 1]),
    }, ""


def _common_length(first: Sequence[Message], second: Sequence[Message]) -> int:
    """The number of messages with which both begin."""
    return next((index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))


def _as_dicts(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [message.model_dump() for message in messages]

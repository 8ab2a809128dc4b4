"""The data card of a set of episodes, as JSON and as Markdown; the same episodes give the same bytes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from sekft.config import MaskConfig, MaskRule
from sekft.episode.outcome import TROUBLE
from sekft.episode.trajectory import Trajectory
from sekft.errors import RenderError
from sekft.mask.rules import weigh
from sekft.rendering.render import render_all
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Axes, Scenario

CARD_VERSION = 1


def build(
    episodes: Sequence[Trajectory], scenarios: Sequence[Scenario], tokenizer: ChatTokenizer, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """The card: counts over all episodes, turns and tokens over kept ones. origin: how they were made; its fields come first."""
    kept = [episode for episode in episodes if episode.kept]
    return {
        "card_version": CARD_VERSION,
        "text_version": TEXT_VERSION,
        **origin,
        "episodes": len(episodes),
        "kept": len(kept),
        "scenarios": len({episode.scenario_id for episode in episodes}),
        "outcomes": _counts(episode.outcome.value for episode in episodes),
        "rejects": rejects(episodes),
        "archetypes": _archetypes(episodes),
        "axes": _axes(scenarios) if scenarios else {},
        "turns": _spread([len(episode.commands) for episode in kept]),
        "tokens": _tokens(kept, tokenizer),
    }


def rejects(episodes: Iterable[Trajectory]) -> dict[str, int]:
    """Number of episodes that are not kept, by outcome; where the agent could not reply, by outcome and trouble."""
    rejected = [episode for episode in episodes if not episode.kept]
    return _counts(
        f"{episode.outcome.value}: {episode.meta[TROUBLE]}" if TROUBLE in episode.meta else episode.outcome.value for episode in rejected
    )


def as_markdown(card: Mapping[str, Any]) -> str:
    """The card as Markdown: plain values as a list, then one table per group of counts."""
    groups = {name: value for name, value in card.items() if isinstance(value, Mapping) and name not in ("axes", "archetypes")}
    groups |= {f"axis {axis}": counts for axis, counts in card["axes"].items()}
    lines = ["# Data card", "", *(f"- {name}: {value}" for name, value in card.items() if not isinstance(value, Mapping))]
    lines += _archetype_table(card["archetypes"])
    for title, counts in groups.items():
        lines += _table(title, counts)
    return "\n".join([*lines, ""])


def _axes(scenarios: Sequence[Scenario]) -> dict[str, dict[str, int]]:
    return {axis: _counts(str(getattr(scenario.axes, axis)) for scenario in scenarios) for axis in Axes.model_fields}


def _archetypes(episodes: Sequence[Trajectory]) -> dict[str, dict[str, int]]:
    played = Counter(episode.archetype for episode in episodes)
    kept = Counter(episode.archetype for episode in episodes if episode.kept)
    blocked = Counter(episode.archetype for episode in episodes if episode.meta.get("terminal") == "panic")
    return {name: {"episodes": played[name], "kept": kept[name], "blocked": blocked[name]} for name in sorted(played)}


def _tokens(kept: Sequence[Trajectory], tokenizer: ChatTokenizer) -> dict[str, Any]:
    """Tokens of kept trajectories as mask=assistant trains them. Those that cannot be rendered are only counted, as `refused`."""
    lengths, learned, refused = [], 0, 0
    for episode in kept:
        try:
            rendered = render_all(episode.messages, tokenizer)
        except RenderError:
            refused += 1
            continue
        lengths += [len(row.ids) for row in rendered]
        learned += sum(int((weigh(row, MaskConfig(rule=MaskRule.assistant)) > 0).sum()) for row in rendered)
    share = round(learned / sum(lengths), 4) if lengths else 0.0
    return {"total": sum(lengths), "learned": learned, "learned_share": share, "rows": len(lengths), "refused": refused, **_spread(lengths)}


def _spread(numbers: Sequence[int]) -> dict[str, float]:
    return {"shortest": min(numbers), "median": median(numbers), "longest": max(numbers)} if numbers else {}


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _table(title: str, counts: Mapping[str, Any]) -> list[str]:
    return ["", f"## {title}", "", "| | |", "|---|--:|", *(f"| {name} | {value} |" for name, value in counts.items())] if counts else []


def _archetype_table(archetypes: Mapping[str, Mapping[str, int]]) -> list[str]:
    rows = [f"| {name} | {counts['episodes']} | {counts['kept']} | {counts['blocked']} |" for name, counts in archetypes.items()]
    return ["", "## archetypes", "", "| archetype | episodes | kept | blocked |", "|---|--:|--:|--:|", *rows]

"""The data card: what is in a set of lives, as numbers and as a page; the same bytes for the same set."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from sekft.config import MaskConfig, MaskRule
from sekft.episode.play import unanswered
from sekft.episode.trajectory import Trajectory
from sekft.errors import RenderError
from sekft.mask.rules import weigh
from sekft.rendering.render import render_all
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Axes, Bundle

CARD_VERSION = 1


def card(lives: Sequence[Trajectory], worlds: Sequence[Bundle], tokenizer: ChatTokenizer, about: Mapping[str, Any]) -> dict[str, Any]:
    """Counts over all lives; turns and tokens over keepers. about: what made them, first in the card."""
    keepers = [life for life in lives if life.kept]
    return {
        "card_version": CARD_VERSION,
        "text_version": TEXT_VERSION,
        **about,
        "lives": len(lives),
        "kept": len(keepers),
        "worlds": len({life.bundle_id for life in lives}),
        "outcomes": _counts(life.outcome.value for life in lives),
        "rejects": rejects(lives),
        "archetypes": _archetypes(lives),
        "axes": {axis: _counts(str(getattr(world.axes, axis)) for world in worlds) for axis in Axes.model_fields} if worlds else {},
        "turns": _spread([len(life.commands) for life in keepers]),
        "tokens": _tokens(keepers, tokenizer),
    }


def rejects(lives: Iterable[Trajectory]) -> dict[str, int]:
    """Lives that are not kept by reason: the outcome, and the trouble where the operator could not answer."""
    lost = [life for life in lives if not life.kept]
    return _counts(f"{life.outcome.value}: {life.reason}" if unanswered(life) else life.outcome.value for life in lost)


def as_markdown(card: Mapping[str, Any]) -> str:
    """Plain values as a list, then one table per group of counts."""
    groups = {name: value for name, value in card.items() if isinstance(value, Mapping) and name not in ("axes", "archetypes")}
    groups |= {f"axis {axis}": counts for axis, counts in card["axes"].items()}
    lines = ["# Data card", "", *(f"- {name}: {value}" for name, value in card.items() if not isinstance(value, Mapping))]
    lines += _archetype_table(card["archetypes"])
    for title, counts in groups.items():
        lines += _table(title, counts)
    return "\n".join([*lines, ""])


def _archetypes(lives: Sequence[Trajectory]) -> dict[str, dict[str, int]]:
    lived = Counter(life.archetype for life in lives)
    kept = Counter(life.archetype for life in lives if life.kept)
    blocked = Counter(life.archetype for life in lives if life.meta.get("terminal") == "panic")
    return {name: {"lives": lived[name], "kept": kept[name], "blocked": blocked[name]} for name in sorted(lived)}


def _tokens(keepers: Sequence[Trajectory], tokenizer: ChatTokenizer) -> dict[str, Any]:
    """As mask=assistant trains them. A keeper the render contract refuses is counted, and weighs nothing."""
    lengths, learned, refused = [], 0, 0
    for life in keepers:
        try:
            rendered = render_all(life.messages, tokenizer)
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
    rows = [f"| {name} | {counts['lives']} | {counts['kept']} | {counts['blocked']} |" for name, counts in archetypes.items()]
    return ["", "## archetypes", "", "| archetype | lives | kept | blocked |", "|---|--:|--:|--:|", *rows]

"""The page of an exam: verdict and reasons, intervals, who won where, what a stone scores, every life side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sekft.episode.trajectory import Outcome, Trajectory
from sekft.eval.labels import GROUPS
from sekft.eval.measures import LETTERS, letter
from sekft.eval.rates import CRITERIA, FAULTS, JUDGED
from sekft.eval.reasons import MEANINGS, tags
from sekft.eval.score import BASE, REFERENCE, STONES, Score
from sekft.eval.show import limits
from sekft.report.page import write_page
from sekft.report.transcript import Piece, parting, pieces, shortened
from sekft.scenario.document import Bundle

Players = Mapping[str, Sequence[Trajectory]]
PAGE_BYTES = 3_500_000  # of transcripts; the rest of a page of 128 worlds takes less than a megabyte
LIFE_BYTES = 16_000
MOST_REASON = 160  # characters; a panic may say much more


@dataclass(frozen=True)
class Shown:
    """One life on the page, from where it parts from the base's."""

    player: str
    said: str
    tags: tuple[str, ...]
    screen: list[Piece]


def write_exam_page(lives: Players, bundles: Sequence[Bundle], scored: Score, casts: Sequence[Path], path: Path) -> Path:
    """One self-contained file; casts are linked relative to it. Transcripts of stones stay in episodes.jsonl."""
    shown = [player for player in lives if player not in STONES]
    most = min(LIFE_BYTES, PAGE_BYTES // max(1, len(bundles) * len(shown)))
    worlds = [world(bundle, lives, shown, scored, most) for bundle in bundles]
    left_out = sum(one["cut"] for one in worlds)
    values = {
        "title": f"Exam: {scored.looked_at} against base" if scored.looked_at != BASE else "Exam: the base alone",
        "word": scored.verdict.split()[0],
        "scored": scored,
        "findings": [asdict(finding) for finding in judged.findings] if (judged := scored.judged.get(scored.looked_at)) else [],
        "pair": scored.pairs.get(scored.looked_at, {}).get(scored.criterion),
        "amount": len(bundles),
        "rates": {
            name: {player: one[kind][name] for player, one in scored.players.items()}
            for kind, names in (("rates", CRITERIA), ("faults", FAULTS))
            for name in names
        },
        "groups": groups(scored),
        "matrix": matrix(lives, scored),
        "outcomes": [outcome.value for outcome in Outcome],
        "archetypes": archetypes(worlds),
        "letters": LETTERS,
        "meanings": {tag: text for tag, text in MEANINGS.items() if any(one["reasons"].get(tag) for one in scored.players.values())},
        "limits": limits(scored),
        "stones": {player: text for player, text in STONES.items() if player in lives},
        "won_by_stones": won_by_stones(scored),
        "worlds": worlds,
        "casts": [cast.relative_to(path.parent).as_posix() for cast in casts],
        "left_out": left_out_lines(lives, shown, left_out),
    }
    write_page(Path(__file__).with_name("page.html.jinja"), values, path)
    return path


def world(bundle: Bundle, lives: Players, shown: Sequence[str], scored: Score, most_bytes: int) -> dict[str, Any]:
    """Both lives from where they part, the others whole; of several attempts the first."""
    first = {player: next((life for life in lives[player] if life.bundle_id == bundle.id), None) for player in shown}
    base, tuned = first[BASE], first[scored.looked_at]
    apart = parting(base, tuned) if base and tuned and base is not tuned else 0
    cut, lived = 0, []
    for player, life in first.items():
        if life is not None:
            together = apart if player in (BASE, scored.looked_at) else 0
            screen, lost = shortened(pieces(life.messages[together:]), most_bytes)
            cut += lost
            lived.append(Shown(player, said(life), tags(life, scored.readable.get(bundle.id, ())), screen))
    common, lost = shortened(pieces(base.messages[:apart]) if base else [], most_bytes)
    labels = scored.labels[bundle.id]
    before, after = ([life for life in lives[player] if life.bundle_id == bundle.id] for player in (BASE, scored.looked_at))
    return {
        "id": bundle.id,
        "archetype": bundle.archetype,
        "letter": letter(before, after, JUDGED[scored.criterion]),
        "about": ", ".join(labels[key] for key in (*GROUPS, "terminal") if labels.get(key)),
        "outcomes": [(one.player, one.said) for one in lived if one.player != REFERENCE],
        "common": common,
        "pair": [one for one in lived if one.player in (BASE, scored.looked_at)],
        "others": [one for one in lived if one.player not in (BASE, scored.looked_at)],
        "cut": cut + lost,
    }


def said(life: Trajectory) -> str:
    why = life.reason if len(life.reason) <= MOST_REASON else f"{life.reason[:MOST_REASON]}..."
    reason = f" ({why})" if why and why != life.outcome.value else ""
    return f"{life.ending.value}, {life.outcome.value}{reason}"


def matrix(lives: Players, scored: Score) -> dict[tuple[str, str], int]:
    """Worlds by (outcome of the base, outcome of the adapter), first attempts."""
    if scored.looked_at == BASE:
        return {}
    base, tuned = ({life.bundle_id: life.outcome.value for life in reversed(lives[player])} for player in (BASE, scored.looked_at))
    return dict(Counter((base[world], tuned[world]) for world in base if world in tuned))


def archetypes(worlds: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    return {name: [one for one in worlds if one["archetype"] == name] for name in sorted({one["archetype"] for one in worlds})}


def groups(scored: Score) -> dict[str, dict[str, Any]]:
    """The criterion's rate by kind of world and player; archetypes have the map."""
    by = {player: one["by"] for player, one in scored.players.items() if player not in STONES}
    kinds = [kind for kind in by[BASE] if not kind.startswith("archetype=")]
    return {kind: {player: rates[kind][scored.criterion] for player, rates in by.items() if kind in rates} for kind in kinds}


def won_by_stones(scored: Score) -> dict[str, str]:
    """Rates that a stone reaches within the interval of the player looked at: they tell a mind from a stone no longer."""
    mine = scored.players[scored.looked_at]["rates"]
    best = {name: max((scored.players[stone]["rates"][name]["rate"], stone) for stone in STONES if stone in scored.players)
            for name in CRITERIA if any(stone in scored.players for stone in STONES)}  # fmt: skip
    return {name: stone for name, (rate, stone) in best.items() if rate > 0 and rate >= mine[name]["low"]}


def left_out_lines(lives: Players, shown: Sequence[str], cut: int) -> list[str]:
    lines = [f"{cut} characters of long transcripts were left out."] if cut else []
    if silent := [player for player in lives if player not in shown]:
        lines.append(f"The lives of {', '.join(silent)} are not drawn.")
    if len(lives[BASE]) > len({life.bundle_id for life in lives[BASE]}):
        lines.append("Of several attempts at one world the first is drawn.")
    return (
        [*lines, "episodes.jsonl has every life whole."] if lines else ["Nothing was left out; episodes.jsonl has the same lives as data."]
    )

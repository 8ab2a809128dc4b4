"""The picture of a README: base against tuned by kind of scenario, as one SVG file for light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sekft.compare.groups import Group
from sekft.eval.measures import measure_rate
from sekft.eval.rates import Rate
from sekft.report.page import write_page

TEMPLATE = Path(__file__).with_name("headline.svg.jinja")
MEASURES = {"terminated": "left by exit or panic", "verified_solvable": "did the work and left"}
ALL = "all scenarios"


@dataclass(frozen=True)
class HeadlineRow:
    """One kind of scenario. base, tuned: by measure."""

    kind: str
    scenarios: int
    base: dict[str, Rate]
    tuned: dict[str, Rate]


def headline_rows(group: Group) -> list[HeadlineRow]:
    """One row per kind of hold-out; with several kinds, all scenarios together come first."""
    base = [(run.holdout_kind(episode), episode) for run in group.runs for episode in run.base]
    tuned = [(run.holdout_kind(episode), episode) for run in group.runs for episode in run.episodes]
    kinds = sorted({kind for kind, _ in tuned if kind})
    rows = []
    for kind in kinds if len(kinds) == 1 else [ALL, *kinds]:
        before, after = ([episode for own, episode in episodes if kind in (ALL, own)] for episodes in (base, tuned))
        rates = ({name: measure_rate(episodes, name) for name in MEASURES} for episodes in (before, after))
        rows.append(HeadlineRow(kind, len({episode.scenario_id for episode in after}), *rates))
    return rows


def write_headline(group: Group, path: Path) -> Path:
    """Draw the group's base and its adapters, all seeds together."""
    rows = headline_rows(group)
    write_page(TEMPLATE, {"rows": rows, "measures": MEASURES, "seeds": len(group.runs), "description": describe(rows)}, path)
    return path


def describe(rows: Sequence[HeadlineRow]) -> str:
    """The picture in words, for screen readers."""
    return " ".join(
        f"{row.kind}: base {title} {row.base[name].rate:.0%}, tuned {row.tuned[name].rate:.0%}."
        for name, title in MEASURES.items()
        for row in rows
    )

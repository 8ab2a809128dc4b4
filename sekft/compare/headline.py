"""The picture for a README: base against tuned, by kind of scenario, as one SVG file, light and dark."""

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
class Row:
    """base, tuned: by measure."""

    kind: str
    scenarios: int
    base: dict[str, Rate]
    tuned: dict[str, Rate]


def rows(group: Group) -> list[Row]:
    """By kind of hold-out; all scenarios together come first where there are several."""
    base = [(run.kind(episode), episode) for run in group.runs for episode in run.base]
    tuned = [(run.kind(episode), episode) for run in group.runs for episode in run.episodes]
    kinds = sorted({kind for kind, _ in tuned if kind})
    found = []
    for wanted in kinds if len(kinds) == 1 else [ALL, *kinds]:
        before, after = ([episode for kind, episode in episodes if wanted in (ALL, kind)] for episodes in (base, tuned))
        rates = ({name: measure_rate(episodes, name) for name in MEASURES} for episodes in (before, after))
        found.append(Row(wanted, len({episode.scenario_id for episode in after}), *rates))
    return found


def write_headline(group: Group, path: Path) -> Path:
    """Of the group's base and its adapters, seeds taken together."""
    values = {"rows": rows(group), "measures": MEASURES, "seeds": len(group.runs), "said": said(rows(group))}
    write_page(TEMPLATE, values, path)
    return path


def said(drawn: Sequence[Row]) -> str:
    """The picture in words, for those who do not see it."""
    return " ".join(
        f"{row.kind}: base {title} {row.base[name].rate:.0%}, tuned {row.tuned[name].rate:.0%}."
        for name, title in MEASURES.items()
        for row in drawn
    )

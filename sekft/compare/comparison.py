"""A comparison as people read it: rows for the terminal, a Markdown table, one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.compare.contrast import Contrast, sentence, spread
from sekft.compare.curves import charts
from sekft.compare.effects import effects
from sekft.compare.groups import EvaluatedRun, Group, unlike
from sekft.compare.kinds import by_blocker, by_kind
from sekft.compare.lineage import lineages
from sekft.compare.links import linked, shown
from sekft.compare.matrix import ABSENT, parts
from sekft.compare.order import natural, short
from sekft.compare.seeds import Seeds
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.eval.measures import LETTERS, TABLE, measure_rate
from sekft.eval.rates import FAULTS, Rate
from sekft.report.page import write_page
from sekft.tracking.records import Lost

FEW = 4  # sentences at the head of a page


@dataclass(frozen=True)
class Line:
    """A row: a group of seeds, or a base. spread: its seeds' lowest and highest rate of the first criterion."""

    name: str
    differing: Mapping[str, Any]
    runs: tuple[EvaluatedRun, ...]
    scenarios: int
    rates: Mapping[str, Rate]
    losses: tuple[float, ...]
    gain: Seeds | None
    spread: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """lines: in the order asked for. contrasts: each sentence is of one of them."""

    groups: tuple[Group, ...]
    lines: tuple[Line, ...]
    contrasts: tuple[Contrast, ...]
    lost: tuple[Lost, ...]
    notes: tuple[str, ...]
    criteria: tuple[str, ...]
    margin: float
    sort: str  # see sekft.compare.order

    def sentences(self) -> list[str]:
        return [sentence(one, self.margin) for one in self.contrasts]

    def keys(self) -> list[str]:
        """What tells the groups apart."""
        return list(dict.fromkeys(key for group in self.groups for key in group.differing))

    def ranked(self) -> list[Group]:
        """The groups as their lines stand."""
        return [next(group for group in self.groups if group.name == one.name) for one in self.lines if one.runs]

    def best(self) -> Group:
        """By the first criterion, however the lines stand."""
        return max(self.groups, key=lambda group: measure_rate(group.episodes(), self.criteria[0]).rate)

    def columns(self) -> list[str]:
        return [*(self.keys() or ["group"]), "seeds", "scenarios", *self.measures(), "loss", "gain over base", "seeds' range"]

    def measures(self) -> list[str]:
        return list(dict.fromkeys((*TABLE, *self.criteria)))

    def cells(self, line: Line) -> list[str]:
        names = [short(line.differing[key]) if line.differing else line.name if at == 0 else "" for at, key in enumerate(self.keys())]
        loss = f"{sum(line.losses) / len(line.losses):.3f}" if line.losses else ""
        spread = f"{line.spread[0]:.2f} to {line.spread[1]:.2f}" if line.spread else ""
        rates = [str(line.rates[name]) if line.rates[name].n else "" for name in self.measures()]
        return [*(names or [line.name]), str(len(line.runs) or ""), str(line.scenarios), *rates, loss, _gain(line.gain), spread]


def line(group: Group, criteria: Sequence[str]) -> Line:
    seeds = spread(group.runs, criteria[0]) if len(group.runs) > 1 else None
    return _line(group.name, group.differing, group.runs, group.episodes(), criteria, tuple(group.losses()), group.gain(), seeds)


def base_line(name: str, episodes: Sequence[Trajectory], criteria: Sequence[str]) -> Line:
    return _line(name, {}, (), episodes, criteria, (), None, None)


def _line(
    name: str, differing: Mapping[str, Any], runs: tuple[EvaluatedRun, ...], episodes: Sequence[Trajectory], criteria: Sequence[str],
    losses: tuple[float, ...], gain: Seeds | None, seeds: tuple[float, float] | None,
) -> Line:  # fmt: skip
    rates = {measure: measure_rate(episodes, measure) for measure in (*TABLE, *criteria)}
    return Line(name, differing, runs, len({episode.scenario_id for episode in episodes}), rates, losses, gain, seeds)


def table(comparison: Comparison) -> list[str]:
    """In Markdown."""
    return markdown([comparison.columns(), *map(comparison.cells, comparison.lines)])


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first row is the head."""
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def result(comparison: Comparison) -> str:
    """The table, what it is of, and what was left out, as a section of a page."""
    said = [f"- left out: `{one.folder}`: {one.why}" for one in comparison.lost]
    notes = [f"- {note}" for note in comparison.notes]
    about = (
        "Rates are k/n [95 % Wilson over scenarios]; gain: mean over training seeds, t interval; blocked scenarios count where verified."
    )
    tables = [part for rows in (by_kind(comparison.groups), by_blocker(comparison.groups)) if rows for part in ("", *markdown(rows))]
    return "\n".join([*table(comparison), *tables, "", about, *([""] if said or notes else []), *notes, *said])


def verdicts(comparison: Comparison) -> str:
    about = "Points of 100, 95 % each: for other scenarios of other archetypes and for other training seeds."
    return "\n".join([*(f"- {said}" for said in comparison.sentences()), "", about])


def write_comparison_page(comparison: Comparison, path: Path) -> Path:
    groups, criterion = comparison.ranked(), comparison.criteria[0]
    runs = shown(groups, path.parent)
    values = {
        "title": "Comparison",
        "comparison": comparison,
        "sentences": leading(comparison),
        "measures": comparison.measures(),
        "bases": [one for one in comparison.lines if not one.runs],
        "groups": groups,
        "unlike": unlike([group.runs[0] for group in groups]),
        "effects": effects(comparison.groups, comparison.criteria, comparison.margin),
        "charts": charts(groups, list(dict.fromkeys((*comparison.criteria, "terminated", "false_panic")))),
        "parts": parts([one.run for one in runs], criterion),
        "letters": LETTERS,
        "absent": ABSENT,
        "runs": runs,
        "lineages": lineages(runs),
        "linked": lambda file: linked(file, path.parent),
        "measure_rate": measure_rate,
        "short": short,
        "kinds": {"By kind of hold-out": by_kind(groups), "Blocked scenarios, verified": by_blocker(groups)},
    }
    write_page(Path(__file__).with_name("page.html.jinja"), values, path)
    return path


def leading(comparison: Comparison) -> list[str]:
    """The sentences a reader meets first: all if they are few, else those of the best group."""
    said = comparison.sentences()
    best = comparison.best().name
    return said if len(said) <= FEW else [text for text, one in zip(said, comparison.contrasts, strict=True) if one.second == best]


def _gain(gain: Seeds | None) -> str:
    if gain is None:
        return ""
    return f"{gain.mean:+.2f}" if gain.low is None or gain.high is None else f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"


def ordered(lines: Sequence[Line], by: str) -> list[Line]:
    """by: a rate, loss, gain, group or a setting that differs; the best, of names and settings the first, come first.

    A minus before it turns this round; lines without that column, as bases, stay last. Raises SettingsError.
    """
    name = by.removeprefix("-")
    allowed = dict.fromkeys((*lines[0].rates, "loss", "gain", "group", *(key for line in lines for key in line.differing)))
    if name not in allowed:
        raise SettingsError(f"sort: found {by!r}, allowed: {', '.join(allowed)}, with a minus before it turned round")
    known = [line for line in lines if _value(line, name) is not None]
    more_is_better = name == "gain" or (name in lines[0].rates and name not in FAULTS)
    known.sort(key=lambda line: natural(_value(line, name)), reverse=more_is_better is not by.startswith("-"))
    return [*known, *(line for line in lines if _value(line, name) is None)]


def _value(line: Line, name: str) -> Any:
    if name in line.rates:
        return line.rates[name].rate if line.rates[name].n else None
    if name == "loss":
        return sum(line.losses) / len(line.losses) if line.losses else None
    if name == "gain":
        return line.gain and line.gain.mean
    return line.name if name == "group" else line.differing.get(name)

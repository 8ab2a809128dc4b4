"""A comparison of groups of runs: its table, its sentences, and both as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sekft.compare.contrast import Contrast, seed_range, sentence
from sekft.compare.groups import EvaluatedRun, Group, SeedGain, natural_order, short_value
from sekft.compare.kinds import table_by_blocker, table_by_kind
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.eval.measures import TABLE, measure_rate
from sekft.eval.rates import FAULTS, Rate
from sekft.tracking.records import UnusableRun


@dataclass(frozen=True)
class TableRow:
    """A group, or a base (without runs). seed_range: the lowest and highest rate of a run, by the first criterion."""

    name: str
    differing: Mapping[str, Any]
    runs: tuple[EvaluatedRun, ...]
    scenarios: int
    rates: Mapping[str, Rate]
    losses: tuple[float, ...]
    gain: SeedGain | None
    seed_range: tuple[float, float] | None

    def loss(self) -> float | None:
        """The mean over seeds."""
        return sum(self.losses) / len(self.losses) if self.losses else None


@dataclass(frozen=True)
class Comparison:
    """rows: as sorted by `sort`, see sort_rows. contrasts: each becomes a sentence.

    left_out: runs that are not compared. margin: see sentence().
    """

    groups: tuple[Group, ...]
    rows: tuple[TableRow, ...]
    contrasts: tuple[Contrast, ...]
    left_out: tuple[UnusableRun, ...]
    notes: tuple[str, ...]
    criteria: tuple[str, ...]
    margin: float
    sort: str

    def sentences(self) -> list[str]:
        return [sentence(contrast, self.margin) for contrast in self.contrasts]

    def keys(self) -> list[str]:
        """The settings that tell the groups apart."""
        return list(dict.fromkeys(key for group in self.groups for key in group.differing))

    def sorted_groups(self) -> list[Group]:
        """The groups in the order of their rows."""
        return [next(group for group in self.groups if group.name == row.name) for row in self.rows if row.runs]

    def order(self) -> list[str]:
        """The names of groups and bases in the order that every table and figure has."""
        return [row.name for row in self.rows]

    def best(self) -> Group:
        """The group with the highest rate by the first criterion, whatever the order of the rows."""
        return max(self.groups, key=lambda group: measure_rate(group.episodes(), self.criteria[0]).rate)

    def measures(self) -> list[str]:
        """The names of the rates in the table."""
        return list(dict.fromkeys((*TABLE, *self.criteria)))

    def columns(self) -> list[str]:
        return [*(self.keys() or ["group"]), "seeds", "scenarios", *self.measures(), "loss", "gain over base", "seeds' range"]

    def cells(self, row: TableRow) -> list[str]:
        """The row as text, one cell per column."""
        names = [
            short_value(row.differing[key]) if row.differing else row.name if index == 0 else "" for index, key in enumerate(self.keys())
        ]
        loss = f"{row.loss():.3f}" if row.losses else ""
        seeds = f"{row.seed_range[0]:.2f} to {row.seed_range[1]:.2f}" if row.seed_range else ""
        rates = [str(row.rates[name]) if row.rates[name].n else "" for name in self.measures()]
        return [*(names or [row.name]), str(len(row.runs) or ""), str(row.scenarios), *rates, loss, _gain_text(row.gain), seeds]


def group_row(group: Group, criteria: Sequence[str]) -> TableRow:
    return TableRow(
        name=group.name,
        differing=group.differing,
        runs=group.runs,
        scenarios=_count_scenarios(group.episodes()),
        rates=_rates(group.episodes(), criteria),
        losses=tuple(group.losses()),
        gain=group.gain(),
        seed_range=seed_range(group.runs, criteria[0]) if len(group.runs) > 1 else None,
    )


def base_row(name: str, episodes: Sequence[Trajectory], criteria: Sequence[str]) -> TableRow:
    return TableRow(name, {}, (), _count_scenarios(episodes), _rates(episodes, criteria), (), None, None)


def _count_scenarios(episodes: Sequence[Trajectory]) -> int:
    return len({episode.scenario_id for episode in episodes})


def _rates(episodes: Sequence[Trajectory], criteria: Sequence[str]) -> dict[str, Rate]:
    return {measure: measure_rate(episodes, measure) for measure in (*TABLE, *criteria)}


def sort_rows(rows: Sequence[TableRow], key: str) -> list[TableRow]:
    """Sort by a rate, loss, gain, group or a setting that differs: the best first, names and settings in ascending order.

    A minus before the key reverses the order. Rows without a value, such as bases, come last. Raises SettingsError for an unknown key.
    """
    name = key.removeprefix("-")
    allowed = dict.fromkeys((*rows[0].rates, "loss", "gain", "group", *(setting for row in rows for setting in row.differing)))
    if name not in allowed:
        raise SettingsError(f"sort: found {key!r}, allowed: {', '.join(allowed)}, with a minus before it for the reverse order")
    known = [row for row in rows if _sort_value(row, name) is not None]
    more_is_better = name == "gain" or (name in rows[0].rates and name not in FAULTS)
    known.sort(key=lambda row: natural_order(_sort_value(row, name)), reverse=more_is_better is not key.startswith("-"))
    return [*known, *(row for row in rows if _sort_value(row, name) is None)]


def _sort_value(row: TableRow, name: str) -> Any:
    if name in row.rates:
        return row.rates[name].rate if row.rates[name].n else None
    if name == "loss":
        return row.loss()
    if name == "gain":
        return row.gain and row.gain.mean
    return row.name if name == "group" else row.differing.get(name)


def _gain_text(gain: SeedGain | None) -> str:
    if gain is None:
        return ""
    return f"{gain.mean:+.2f}" if gain.low is None or gain.high is None else f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"


def markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; the first row is the head."""
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def result_section(comparison: Comparison) -> str:
    """The tables in Markdown, the notes, and the runs left out."""
    table = markdown_table([comparison.columns(), *map(comparison.cells, comparison.rows)])
    groups = comparison.sorted_groups()
    kinds = table_by_kind(groups, comparison.order()), table_by_blocker(groups)
    by_kind = [part for rows in kinds if rows
               for part in ("", *markdown_table(rows))]  # fmt: skip
    legend = (
        "Rates are k/n [95 % Wilson over scenarios]; gain: mean over training seeds, t interval; blocked scenarios count where verified."
    )
    notes = [*(f"- {note}" for note in comparison.notes), *(f"- left out: `{run.folder}`: {run.reason}" for run in comparison.left_out)]
    return "\n".join([*table, *by_kind, "", legend, *([""] if notes else []), *notes])


def verdict_section(comparison: Comparison) -> str:
    """The sentences in Markdown."""
    legend = "Points of 100, 95 % each: for other scenarios of other archetypes and for other training seeds."
    return "\n".join([*(f"- {sentence}" for sentence in comparison.sentences()), "", legend])

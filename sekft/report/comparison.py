"""A comparison as people and programs read it: rows for the terminal, a Markdown table, CSV, one page."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import Any

from sekft.exam.contrast import Contrast, sentence, spread
from sekft.exam.groups import Examined, Group
from sekft.exam.measures import TABLE, counted
from sekft.exam.rates import Rate
from sekft.exam.score import BASE
from sekft.report.kinds import by_blocker, by_kind
from sekft.report.page import write_page
from sekft.rollout.trajectory import Trajectory
from sekft.tracking.records import Lost


@dataclass(frozen=True)
class Line:
    """A row: a group of seeds, or a base. spread: its seeds' lowest and highest rate of the first criterion."""

    name: str
    differing: Mapping[str, Any]
    runs: tuple[Examined, ...]
    worlds: int
    rates: Mapping[str, Rate]
    losses: tuple[float, ...]
    gain: str
    spread: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """lines: the best first. contrasts: each sentence is of one of them."""

    groups: tuple[Group, ...]
    lines: tuple[Line, ...]
    contrasts: tuple[Contrast, ...]
    lost: tuple[Lost, ...]
    notes: tuple[str, ...]
    criteria: tuple[str, ...]
    margin: float

    def sentences(self) -> list[str]:
        return [sentence(one, self.margin) for one in self.contrasts]

    def columns(self) -> list[str]:
        keys = dict.fromkeys(key for group in self.groups for key in group.differing)
        return [*(keys or ["group"]), "seeds", "worlds", *self.measures(), "loss", "gain over base", "seeds' range"]

    def measures(self) -> list[str]:
        return list(dict.fromkeys((*TABLE, *self.criteria)))

    def cells(self, line: Line) -> list[str]:
        keys = dict.fromkeys(key for group in self.groups for key in group.differing)
        names = [_short(line.differing[key]) if line.differing else line.name if at == 0 else "" for at, key in enumerate(keys)] or [
            line.name
        ]
        loss = f"{sum(line.losses) / len(line.losses):.3f}" if line.losses else ""
        spread = f"{line.spread[0]:.2f} to {line.spread[1]:.2f}" if line.spread else ""
        rates = [str(line.rates[name]) if line.rates[name].n else "" for name in self.measures()]
        return [*names, str(len(line.runs) or ""), str(line.worlds), *rates, loss, line.gain, spread]


def line(group: Group, criteria: Sequence[str]) -> Line:
    found = group.gain()
    gain = "" if found is None else f"{found.mean:+.2f}" + ("" if found.low is None else f" [{found.low:+.2f}, {found.high:+.2f}]")
    seeds = spread(group.runs, criteria[0]) if len(group.runs) > 1 else None
    return _line(group.name, group.differing, group.runs, group.lives(), criteria, tuple(group.losses()), gain, seeds)


def base_line(name: str, lives: Sequence[Trajectory], criteria: Sequence[str]) -> Line:
    return _line(name, {}, (), lives, criteria, (), "", None)


def _line(
    name: str, differing: Mapping[str, Any], runs: tuple[Examined, ...], lives: Sequence[Trajectory], criteria: Sequence[str],
    losses: tuple[float, ...], gain: str, seeds: tuple[float, float] | None,
) -> Line:  # fmt: skip
    rates = {measure: counted(lives, measure) for measure in (*TABLE, *criteria)}
    return Line(name, differing, runs, len({life.bundle_id for life in lives}), rates, losses, gain, seeds)


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
    about = "Rates are k/n [95 % Wilson over worlds]; gain: mean over training seeds, t interval; blocked worlds count where verified."
    tables = [part for rows in (by_kind(comparison.groups), by_blocker(comparison.groups)) if rows for part in ("", *markdown(rows))]
    return "\n".join([*table(comparison), *tables, "", about, *([""] if said or notes else []), *notes, *said])


def verdicts(comparison: Comparison) -> str:
    about = "Points of 100, 95 % each: for other worlds of other archetypes and for other training seeds."
    return "\n".join([*(f"- {said}" for said in comparison.sentences()), "", about])


def write_csv(comparison: Comparison, path: Path) -> None:
    """A row for every run, one for every base."""
    keys = list(dict.fromkeys(key for group in comparison.groups for key in group.differing))
    numbers = [f"{name}.{part}" for name in comparison.measures() for part in ("k", "n", "rate", "low", "high")]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["group", "run", "seed", *keys, "loss", *numbers])
        for one in comparison.lines:
            for run in one.runs:
                rates = {name: counted(run.lives, name) for name in comparison.measures()}
                rows.writerow([one.name, run.folder, run.seed, *(one.differing[key] for key in keys), run.loss(), *_numbers(rates)])
            if not one.runs:
                rows.writerow([one.name, "", "", *("" for _ in keys), "", *_numbers(one.rates)])


def write_comparison_page(comparison: Comparison, path: Path) -> Path:
    values = {
        "title": "Comparison",
        "comparison": comparison,
        "sentences": comparison.sentences(),
        "measures": comparison.measures(),
        "base": BASE,
        "runs": [(one, run, _report(run.folder, path.parent)) for one in comparison.lines for run in one.runs],
        "counted": counted,
        "kinds": {"By kind of hold-out": by_kind(comparison.groups), "Blocked worlds, verified": by_blocker(comparison.groups)},
    }
    write_page("comparison", values, path)
    return path


def _report(folder: Path, start: Path) -> str:
    """The run's own page as seen from here; empty if it has none."""
    page = folder / "report.html"
    return Path(relpath(page, start)).as_posix() if page.exists() else ""


def _numbers(rates: Mapping[str, Rate]) -> list[float]:
    return [number for rate in rates.values() for number in (rate.k, rate.n, rate.rate, rate.low, rate.high)]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

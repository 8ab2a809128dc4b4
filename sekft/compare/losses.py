"""Runs without an evaluation side by side: their losses in a table, their curves on a page; without episodes no rate is compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from sekft.compare.curves import charts
from sekft.compare.groups import INCIDENTAL, Group, group_runs, trained_runs, unlike_keys, varied_note
from sekft.report.page import write_page
from sekft.tracking.files import write_json
from sekft.tracking.records import FinishedRun, UnusableRun

NO_EPISODES = "no episodes to compare, as no run has an evaluation: python -m sekft.eval adapter=RUN makes one"
OF_TOKENS = ("data", "split", "mask", "model")  # first parts of settings that decide over which tokens a loss is
VALIDATION, TRAINING = "val/loss", "train/loss"


@dataclass(frozen=True)
class LossComparison:
    """groups: the lowest loss at the end first. left_out: runs that are not compared."""

    groups: tuple[Group, ...]
    left_out: tuple[UnusableRun, ...]


def compare(loaded: Sequence[FinishedRun | UnusableRun]) -> LossComparison | None:
    """The runs that logged a loss, in groups; None if no run did."""
    runs, without = trained_runs([run for run in loaded if isinstance(run, FinishedRun)])
    groups = sorted(group_runs(runs), key=lambda group: sum(group.losses()) / len(group.losses()))
    left_out = (*(run for run in loaded if isinstance(run, UnusableRun)), *without)
    return LossComparison(tuple(groups), left_out) if groups else None


def rows(compared: LossComparison) -> list[tuple[str, str, str, str]]:
    """Per group its name, the number of seeds, and validation and training loss, first -> last."""
    return [(group.name, str(len(group.runs)), _change(group, VALIDATION), _change(group, TRAINING)) for group in compared.groups]


def _change(group: Group, metric: str) -> str:
    """The first and the last loss as means over the runs; empty if it was not logged."""
    curves = [curve for run in group.runs if (curve := run.curves.get(metric))]
    first, last = (sum(curve[at][1] for curve in curves) / len(curves) if curves else 0.0 for at in (0, -1))
    return f"{first:.3f} -> {last:.3f}" if curves else ""


def notes(compared: LossComparison) -> list[str]:
    """What limits the comparison, one line each; the first says that there are no episodes."""
    unlike = unlike_keys([run for group in compared.groups for run in group.runs])
    tokens = [key for key in unlike if key.partition(".")[0] in OF_TOKENS and key not in INCIDENTAL]
    over = [f"{', '.join(tokens)} differ: the losses are over different tokens, so they are not comparable"] if tokens else []
    return [NO_EPISODES, *over, *varied_note(compared.groups)]


def lines(compared: LossComparison) -> list[str]:
    """The lines behind the table."""
    return [*(f"left out: {run.folder}: {run.reason}" for run in compared.left_out), *notes(compared)]


def table(compared: LossComparison) -> Table:
    shown = Table("group", "seeds", box=None, padding=(0, 1, 0, 0), header_style="bold", title_justify="left")
    shown.title = "groups, by loss; first -> last, means over seeds"
    for name in ("validation loss", "training loss"):
        shown.add_column(name, no_wrap=True)
    for row in rows(compared):
        shown.add_row(*map(escape, row))
    return shown


def write(compared: LossComparison, folder: Path) -> Path:
    """Write compare.html: the table, the notes and the curves; returns the file."""
    path = folder / "compare.html"
    values = {
        "title": f"Comparison of {len(compared.groups)} groups of runs by their losses",
        "rows": rows(compared),
        "notes": notes(compared),
        "charts": charts(compared.groups, ()),
        "compared": compared,
    }
    write_page(Path(__file__).with_name("losses.html.jinja"), values, path)
    return path


def write_summary(compared: LossComparison, folder: Path) -> dict[str, Any]:
    """Write summary.json, and return what is in it."""
    groups = {
        group.name: {"losses": {str(run.seed): run.loss() for run in group.runs}, "runs": len(group.runs)} for group in compared.groups
    }
    left_out = {str(run.folder): run.reason for run in compared.left_out}
    summary = {"command": "compare", "groups": groups, "notes": notes(compared), "left_out": left_out}
    write_json(folder / "summary.json", summary)
    return summary

"""The command status: runs with state, stage, progress, remaining time and the reason of the state."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from sekft.cli import go_on
from sekft.cli.console import fitted, terminal_width
from sekft.cli.launch import Work, launch
from sekft.config import StatusConfig
from sekft.config.job import Job
from sekft.errors import DataError
from sekft.tracking.condition import Condition, condition
from sekft.tracking.ledger import LEDGER
from sekft.tracking.records import below
from sekft.where.submission import not_started

ENDED = ("done", "failed", "interrupted", "cancelled")
ENDED_SHOWN = 10  # ended runs in the table without all=true
RESUMED_SHOWN = 3  # trainings whose line to go on is printed
STYLES = {"alive": "green", "stalled": "yellow", "dead": "red", "failed": "red"}


def run(settings: StatusConfig, job: Job) -> dict[str, Any]:
    """Print the runs below settings.runs and return the number in each state. Raises DataError if there is no run."""
    root = Path(settings.runs)
    runs = [condition(folder, settings.stalled_s) for folder in below(root)] + not_started(root)
    if not runs:
        raise DataError(f"runs={settings.runs}: no run there; allowed: a folder with runs in it")
    ended = sorted((run for run in runs if run.state in ENDED), key=lambda run: run.ended)
    shown = runs if settings.all else [run for run in runs if run not in ended[:-ENDED_SHOWN]]
    for one in shown:
        show(one)
    counts = {state: sum(run.state == state for run in runs) for state in ("submitted", "alive", "stalled", "dead", *ENDED)}
    hidden = f"; {len(runs) - len(shown)} ended runs are not shown (all=true shows them)" if len(shown) < len(runs) else ""
    print(", ".join(f"{count} {state}" for state, count in counts.items() if count) + hidden)
    for folder in cut_off(runs)[-RESUMED_SHOWN:]:
        print(f"go on: {go_on.resume(folder)}")
    return {"command": "status", **counts}


def cut_off(runs: Sequence[Condition]) -> list[Path]:
    """Trainings that died or were interrupted; those of a sweep go on by its own line."""
    return [
        run.folder
        for run in runs
        if run.command == "train" and run.state in ("dead", "interrupted") and not (run.folder.parent / LEDGER).exists()
    ]


def show(run: Condition) -> None:
    """Print the folder of a run, which is never cut or wrapped, and below it its state."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(escape(f"{run.folder}  {run.name}".rstrip()))
    done = f" {run.share:.0%}" if run.share is not None else ""
    left = f", {run.left_s:.0f} s left" if run.left_s is not None else ""
    state = f"[{STYLES[run.state]}]{run.state}[/]" if run.state in STYLES else run.state
    stage = f"  {run.stage}{done}{left}" if run.stage else ""
    line = fitted(f"  {run.state}  {run.command}{stage}  {run.reason}", terminal_width())
    console.print(escape(line).replace(run.state, state, 1))


def main() -> None:
    launch("status", lambda: Work(run))


if __name__ == "__main__":
    main()

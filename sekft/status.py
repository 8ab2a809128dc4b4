"""Look: which runs are submitted, alive, stalled, dead or done, where they are and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from sekft.cli.launch import launch
from sekft.config import StatusConfig
from sekft.config.job import Job
from sekft.errors import DataError
from sekft.tracking.condition import Condition, condition
from sekft.tracking.records import below
from sekft.where.submission import not_started

ENDED = ("done", "failed", "interrupted", "cancelled")
SHOWN = 10
STYLES = {"alive": "green", "stalled": "yellow", "dead": "red", "failed": "red"}


def run(settings: StatusConfig, job: Job) -> dict[str, Any]:
    home = Path(settings.runs)
    found = [condition(folder, settings.stalled_s) for folder in below(home)] + not_started(home)
    if not found:
        raise DataError(f"runs={settings.runs}: no run there; allowed: a folder with runs in it")
    ended = sorted((one for one in found if one.state in ENDED), key=lambda one: one.ended)
    shown = found if settings.all else [one for one in found if one not in ended[:-SHOWN]]
    Console().print(table(shown, home))
    counts = {state: sum(one.state == state for one in found) for state in ("submitted", "alive", "stalled", "dead", *ENDED)}
    hidden = f"; {len(found) - len(shown)} that ended are not shown (all=true)" if len(shown) < len(found) else ""
    print(", ".join(f"{count} {state}" for state, count in counts.items() if count) + hidden)
    return {"command": "status", **counts}


def table(found: Sequence[Condition], home: Path) -> Table:
    drawn = Table("run", "command", "state", "stage", "", "left", "why", box=None, header_style="bold", pad_edge=False)
    for one in found:
        bar = ProgressBar(total=1, completed=one.share, width=12) if one.share is not None else ""
        left = f"{one.left_s:.0f} s" if one.left_s is not None else ""
        state = f"[{STYLES[one.state]}]{one.state}[/]" if one.state in STYLES else one.state
        drawn.add_row(
            str(one.folder.relative_to(home) if one.folder != home else one.folder),
            one.command,
            state,
            one.stage,
            bar,
            left,
            escape(one.reason),
        )
    return drawn


def main() -> None:
    launch("status", run)


if __name__ == "__main__":
    main()

"""A run repeated from its record into a new folder, and the comparison of both, byte by byte."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sekft.cli.console import echo
from sekft.cli.recorded import recorded_settings
from sekft.config.job import Job, RunFunction
from sekft.errors import DataError, ReplayError, VerdictError
from sekft.tracking import difference, events, records


def replaying(run: RunFunction) -> RunFunction:
    """The run function of a command, extended by settings.replay. It raises ReplayError if the results differ."""

    def run_or_replay(settings: Any, job: Job) -> Any:
        if settings.replay is None:
            return run(settings, job)
        before = Path(settings.replay)
        require_intact(before)
        recorded = recorded_settings(before, type(settings), settings)
        record = records.run(before)
        facts = {**job.facts, "chosen": record.facts.get("chosen", {}), "replay_of": str(before)}
        with suppress(VerdictError):  # the run being repeated may have had this verdict, too
            run(recorded, replace(job, overrides=record.overrides, facts=facts))
        compare(before, job.folder)
        return records.summary(job.folder)

    return run_or_replay


def require_intact(run: Path) -> None:
    """Raises DataError for a run that did not end well or whose files were changed."""
    found = records.read(run)
    if isinstance(found, records.UnusableRun):
        raise DataError(f"replay={run}: {found.reason}; allowed: a run that ended well")
    if fault := next(events.faults(run), None):
        raise DataError(f"replay={run}: its evidence does not hold: {fault}; see sekft.release do=verify runs={run}")


def compare(before: Path, after: Path) -> None:
    """Print how two runs differ, in inputs and in results. Raises ReplayError if results differ."""
    found = difference.between(before, after)
    for line in found.causes:
        echo(f"replay: different input: {line}")
    for line in found.results:
        echo(f"replay: different result: {line}")
    if found.results:
        inputs = f"{len(found.causes)} inputs differ" if found.causes else "all inputs are the same"
        raise ReplayError(f"{after}: not as {before}: {len(found.results)} results differ, {inputs}")
    but = f", though {len(found.causes)} inputs differ" if found.causes else ""
    echo(f"replay: {after} is byte-identical to {before}{but}: {found.same}")

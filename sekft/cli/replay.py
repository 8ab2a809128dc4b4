"""A run repeated from its record into a new folder; what differs is said, and whether what came out is the same to the byte."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sekft.cli.console import echo
from sekft.cli.recorded import record_of, settings_of
from sekft.config.job import Job, RunFunction
from sekft.errors import DataError, ReplayError, VerdictError
from sekft.tracking import difference, events, records


def replaying(run: RunFunction) -> RunFunction:
    """A command's run that also repeats one, where settings.replay names it. Raises ReplayError if the same did not come out."""

    def run_or_repeat(settings: Any, job: Job) -> Any:
        if settings.replay is None:
            return run(settings, job)
        before = Path(settings.replay)
        require_whole(before)
        own = settings_of(before, type(settings), settings)
        line = tuple(str(word) for word in record_of(before)["overrides"])
        with suppress(VerdictError):  # it was what it was then
            run(own, replace(job, overrides=line, facts={**job.facts, "replay_of": str(before)}))
        tell(before, job.folder)
        return records.summary(job.folder)

    return run_or_repeat


def require_whole(run: Path) -> None:
    """Raises DataError for a run that did not end well, or whose evidence does not hold."""
    record = records.read(run)
    if isinstance(record, records.Lost):
        raise DataError(f"replay={run}: {record.why}; allowed: a run that ended well")
    if fault := next(events.faults(run), None):
        raise DataError(f"replay={run}: its evidence does not hold: {fault}; see sekft.release do=verify runs={run}")


def tell(before: Path, after: Path) -> None:
    """Raises ReplayError."""
    found = difference.between(before, after)
    for line in found.causes:
        echo(f"replay: made of other {line}")
    for line in found.results:
        echo(f"replay: came out other {line}")
    if found.results:
        why = f"{len(found.causes)} in what it was made of" if found.causes else "none in what it was made of"
        raise ReplayError(f"{after}: not as {before}: {len(found.results)} differences in what came out, {why}")
    but = f", though made of {len(found.causes)} other things" if found.causes else ""
    echo(f"replay: {after} is byte-identical to {before}{but}: {found.same}")

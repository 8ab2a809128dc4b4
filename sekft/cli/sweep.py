"""Sweeps that can be started again: the same line finds its folder, where the ledger has the state of every job.

A finished job is skipped, an interrupted one resumes, a failed one is reported and runs again only with again=failed.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sekft.config import Again
from sekft.config.job import Job, Report, RunFunction
from sekft.errors import SekftError, SweepError
from sekft.tracking import ledger, records
from sekft.tracking.digest import NOT_DECISIVE, decisive_hashes, hash_code, hash_value
from sekft.tracking.files import lock
from sekft.tracking.ledger import Entry, Status
from sekft.tracking.record import CHECKPOINTS, SUMMARY, one_line, set_aside

LOCK = ".at_work"


@dataclass(frozen=True)
class SweepPolicy:
    """What a sweep needs to know about its command."""

    inputs: Callable[[Any], Sequence[Path]]  # settings -> files and folders whose content decides the run
    checkpoint: Callable[[Path, Report], Path | None] = lambda folder, report: None  # job folder -> checkpoint to resume from
    objective: Callable[[Any, Any], float | None] = lambda settings, summary: None  # what a sweeper that searches maximises


def sweep_folder(parent: str, new: str, *, _root_: DictConfig) -> str:
    """Resolve ${sweep:parent,new}: the newest folder of a sweep with the same line, code and versions, or a new one.

    The result is cached, as the jobs of the sweep resolve it again with settings of their own.
    """
    cache = OmegaConf.get_cache(_root_).setdefault("sweep", {})
    if "folder" not in cache:
        line = [word for word in _root_.hydra.overrides.task if word.lstrip("+").split("=")[0] not in NOT_DECISIVE]
        composed = {key: value for key, value in _plain(_root_).items() if key not in (*NOT_DECISIVE, "hydra")}
        name = hash_value([line, _plain(_root_.hydra.sweeper), composed, hash_code()])
        earlier = sorted(Path(parent).glob(f"*_{name}"))
        cache["folder"] = str(earlier[-1] if earlier and _root_.again != Again.all else Path(parent) / f"{new}_{name}")
    return str(cache["folder"])


OmegaConf.register_new_resolver("sweep", sweep_folder, replace=True)  # at import, as processes of other launchers need it too


def run_once(run: RunFunction, settings: Any, job: Job, sweep: Path, policy: SweepPolicy, report: Report) -> Mapping[str, Any]:
    """Run a job of a sweep unless it is done; returns its summary. Raises what the job raises, and SweepError if it failed before."""
    name = os.path.relpath(job.folder, sweep)
    hashes = decisive_hashes(asdict(settings), policy.inputs(settings))
    with lock(job.folder / LOCK, SweepError("another process is at work there", 1)):
        before = ledger.last_entry(sweep, name)
        if before is not None and before.decided_by != hashes:
            changed = ", ".join(key for key in hashes if before.decided_by.get(key) != hashes[key])
            report(f"{job.folder}: ran with other {changed} before; runs again, its old results are kept under a number")
            before = None
        if before is None or settings.again is Again.all:
            set_aside(job.folder / CHECKPOINTS)
        elif before.status is Status.done:
            report(f"{job.folder}: done before; skipped (again=all runs it again)")
            return records.summary(job.folder) if (job.folder / SUMMARY).exists() else {}
        elif before.status is Status.failed and settings.again is Again.none:
            raise SweepError(f"failed before: {before.error}; again=failed runs it again", before.exit_status)
        else:
            job = replace(job, checkpoint=policy.checkpoint(job.folder, report))
        with _recorded(sweep, Entry(name, hashes, Status.started)):
            return run(replace(settings, again=Again.none), job)  # the record of a job does not depend on how often it was started


@contextmanager
def _recorded(sweep: Path, entry: Entry) -> Iterator[None]:
    """Record in the ledger that the job started, then that it is done or failed; an interrupted job stays started."""
    ledger.append(sweep, entry)
    try:
        yield
    except Exception as error:
        status = error.exit_status if isinstance(error, SekftError) else 1
        ledger.append(sweep, replace(entry, status=Status.failed, error=one_line(error), exit_status=status))
        raise
    ledger.append(sweep, replace(entry, status=Status.done))


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False)

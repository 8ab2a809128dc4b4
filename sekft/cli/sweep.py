"""A sweep that can be started again: the same line finds its folder, and there the ledger says what became of every job.

Done: it is skipped. Cut off: it goes on. Failed: it is named once more, and run only if asked to.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sekft.config import Again
from sekft.config.job import Job
from sekft.errors import SekftError, SweepError
from sekft.tracking import ledger, records
from sekft.tracking.digest import NOT_DECISIVE, decisive_hashes, hash_code, hash_value
from sekft.tracking.files import lock
from sekft.tracking.ledger import Entry, Status
from sekft.tracking.record import CHECKPOINTS, SUMMARY, one_line, set_aside

LOCK = ".at_work"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Sweeps:
    """Of one command. inputs: files and folders that decide a run by what is in them. go_on: the checkpoint from which a job that
    was cut off in a folder goes on, None if there is none. worth: of settings and summary, what a sweeper that searches makes
    the most of."""

    inputs: Callable[[Any], Sequence[Path]]
    go_on: Callable[[Path, Say], Path | None] = lambda folder, say: None
    worth: Callable[[Any, Any], float | None] = lambda settings, summary: None


def folder(parent: str, new: str, *, _root_: DictConfig) -> str:
    """What ${sweep:parent,new} stands for: the youngest folder of a sweep of this line, code and versions, or a new one.

    Jobs ask again, with the settings of their own: the first answer is theirs, too.
    """
    known = OmegaConf.get_cache(_root_).setdefault("sweep", {})
    if "folder" not in known:
        line = [word for word in _root_.hydra.overrides.task if word.lstrip("+").split("=")[0] not in NOT_DECISIVE]
        asked = {key: value for key, value in _plain(_root_).items() if key not in (*NOT_DECISIVE, "hydra")}
        name = hash_value([line, _plain(_root_.hydra.sweeper), asked, hash_code()])
        there = sorted(Path(parent).glob(f"*_{name}"))
        known["folder"] = str(there[-1] if there and _root_.again != Again.all else Path(parent) / f"{new}_{name}")
    return str(known["folder"])


OmegaConf.register_new_resolver("sweep", folder, replace=True)  # here, for the processes of other launchers, too


def run(
    command: Callable[[Any, Any], Mapping[str, Any]], settings: Any, job: Job, sweep: Path, sweeps: Sweeps, say: Say
) -> Mapping[str, Any]:
    """The summary of the job, which is run if its turn has come. Raises what it raises, and SweepError for one that failed before."""
    name = os.path.relpath(job.folder, sweep)
    decided = decisive_hashes(asdict(settings), sweeps.inputs(settings))
    with _alone(job.folder):
        before = ledger.last_entry(sweep, name)
        if before is not None and before.decided_by != decided:
            changed = ", ".join(key for key in decided if before.decided_by.get(key) != decided[key])
            say(f"{job.folder}: was run with other {changed}; run anew, what is there is kept under a number")
            before = None
        if before is None or settings.again is Again.all:
            set_aside(job.folder / CHECKPOINTS)
        elif before.status is Status.done:
            say(f"{job.folder}: done before; skipped (again=all runs it anew)")
            return records.summary(job.folder) if (job.folder / SUMMARY).exists() else {}
        elif before.status is Status.failed and settings.again is Again.none:
            raise SweepError(f"failed before: {before.error}; again=failed runs it once more", before.exit_status)
        else:
            job = replace(job, checkpoint=sweeps.go_on(job.folder, say))
        with _on_record(sweep, Entry(name, decided, Status.started)):
            return command(replace(settings, again=Again.none), job)  # a job leaves the same record whenever it was run


@contextmanager
def _on_record(sweep: Path, entry: Entry) -> Iterator[None]:
    """Begun, then done or failed; what is stopped from outside has only begun."""
    ledger.append(sweep, entry)
    try:
        yield
    except Exception as error:
        status = error.exit_status if isinstance(error, SekftError) else 1
        ledger.append(sweep, replace(entry, status=Status.failed, error=one_line(error), exit_status=status))
        raise
    ledger.append(sweep, replace(entry, status=Status.done))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process is at this job. Raises SweepError; the lock of a killed process is free."""
    with lock(folder / LOCK, SweepError("another process is at work there", 1)):
        yield


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False)

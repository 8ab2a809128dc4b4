"""From what a training begins: a fresh adapter, that of another run, a release, or where it was cut off itself.

Covers: words that contradict each other, a parent without an adapter, a release that was altered, a run that is done or under way,
settings other than those it began with. Does not cover: a release whose sums were written anew with it.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sekft.cli.console import echo
from sekft.cli.recorded import record_of, require_cut_off, settings_of
from sekft.cli.sweep import LOCK
from sekft.config import Start, TrainConfig
from sekft.config.job import Job, RunFunction
from sekft.errors import ReleaseError, SettingsError, SweepError
from sekft.tracking import sums
from sekft.tracking.digest import ASIDE, of_adapter, of_code
from sekft.tracking.files import flat
from sekft.tracking.manifest import versions
from sekft.tracking.record import RUN

CONTINUE = Start("continue")
OWN = ("start", "parent", "replay", *ASIDE)  # of settings: what resume has words of its own for


def beginning(run: RunFunction) -> RunFunction:
    """Train's run, with its start found out before anything else; it stands in run.json from the first moment."""

    def run_from_there(settings: TrainConfig, job: Job) -> Any:
        with _alone(job.folder) if settings.start is Start.resume else nullcontext():
            return run(*begun(settings, job))

    return run_from_there


def begun(settings: TrainConfig, job: Job) -> tuple[TrainConfig, Job]:
    """Both as they are run. Raises SettingsError, ReleaseError."""
    if settings.start is Start.resume:
        return _resumed(settings, job)
    if settings.trainer.resume_from and not (Path(settings.trainer.resume_from) / "trainer_state.json").is_file():
        raise SettingsError(f"trainer.resume_from={settings.trainer.resume_from}: no trainer_state.json there; give a checkpoint folder")
    parent: dict[str, Any] | None = None
    if settings.start is Start.release:
        folder = _released(settings)
        parent = {"release": str(folder), **_adapter(folder / "adapter")}
    elif adapter := _continued(settings, job):
        parent = {"run": str(adapter.parent), **_adapter(adapter)}
    if parent:
        start = settings.start if settings.start is Start.release else CONTINUE
        settings = replace(settings, start=start, adapter=parent["adapter"])
    return settings, replace(job, facts={**job.facts, "start": _told(settings, job.checkpoint, parent)})


def _told(settings: TrainConfig, checkpoint: Path | None, parent: Mapping[str, Any] | None) -> dict[str, Any]:
    """began: as what, where it went on from a checkpoint."""
    there = checkpoint or settings.trainer.resume_from
    policy = Start.resume if there else settings.start
    return {"policy": policy.value, "began": settings.start.value, "parent": parent, "checkpoint": str(there) if there else None}


def _adapter(folder: Path) -> dict[str, Any]:
    return {"adapter": str(folder), "sha256": of_adapter(folder)}


def _continued(settings: TrainConfig, job: Job) -> Path | None:
    """The adapter that is trained on, if one is."""
    given = Path(settings.adapter) if settings.adapter else None
    if settings.parent and given and given.resolve().parent != Path(settings.parent).resolve():
        raise SettingsError(f"adapter={given}: not of parent={settings.parent}; allowed: one of the two, or that run's adapter")
    adapter = given or (Path(settings.parent) / "adapter" if settings.parent else None)
    if adapter and "start=bootstrap" in job.overrides:
        raise SettingsError(f"start=bootstrap: begins with a fresh adapter; found {adapter} to go on from, allowed with it: start=continue")
    if adapter is None and settings.start is CONTINUE:
        raise SettingsError("start=continue: from what? allowed: adapter=FOLDER, or parent=RUN, a run that has one")
    return adapter


def _released(settings: TrainConfig) -> Path:
    """The release that adapter= names: itself, its adapter, or the current one of its stage; whole, or ReleaseError."""
    if settings.parent or not settings.adapter:
        found = f"parent={settings.parent}" if settings.parent else "no adapter"
        raise SettingsError(f"start=release: found {found}, allowed: adapter=outputs/releases/STAGE, or a release in it")
    named = Path(settings.adapter)
    places = [sums.current(named) or named, named.parent]
    folder = next((place for place in places if (place / sums.NAME).is_file()), None)
    if folder is None:
        raise SettingsError(f"start=release: adapter={named}: no release there; allowed: outputs/releases/STAGE, or a release in it")
    if faults := list(sums.faults(folder)):
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise ReleaseError(f"start=release: not what was released: {faults[0]}{more}; see sekft.release do=verify runs={folder}")
    return folder


def _resumed(settings: TrainConfig, job: Job) -> tuple[TrainConfig, Job]:
    """The run of the job's folder, as it was begun, from its newest whole checkpoint."""
    if job.sweep:
        raise SettingsError("start=resume: not in a sweep; a sweep that is started again goes on by itself")
    if not (job.folder / RUN).is_file():
        raise SettingsError(f"start=resume: no run in {job.folder}; allowed: parent=RUN, or a run's own line and hydra.run.dir=RUN")
    if settings.parent and Path(settings.parent).resolve() != job.folder.resolve():
        raise SettingsError(f"start=resume: a run goes on in its own folder; found hydra.run.dir={job.folder}, parent={settings.parent}")
    require_cut_off(job.folder)
    record = record_of(job.folder)
    own = settings_of(job.folder, TrainConfig, settings)
    if other := _disagreeing(settings, own):
        raise SettingsError(f"start=resume: {job.folder} was begun with {other}; allowed: its own line, or parent={job.folder} alone")
    for key, now in {"code": of_code()["code"], "versions": versions()}.items():
        if record.get(key) not in (None, now):
            echo(f"start=resume: {job.folder} was begun with other {key}; its bytes need not be those of an undisturbed run")
    from sekft.train import checkpoint

    job = replace(job, overrides=tuple(record.get("overrides", ())), checkpoint=checkpoint.newest(job.folder, echo))
    told = _told(own, job.checkpoint, (record.get("start") or {}).get("parent"))
    return own, replace(job, facts={**job.facts, "start": told | {"policy": Start.resume.value}})


def _disagreeing(given: TrainConfig, own: TrainConfig) -> str:
    """The first setting that says another thing than the run; what a line leaves null the run may have filled in."""
    line, run = flat(asdict(given)), flat(asdict(own))
    aside = (*OWN, "adapter") if own.start is Start.release else OWN  # a stage on the line is a release on record
    for key, value in line.items():
        if value is not None and key.partition(".")[0] not in aside and value != run.get(key):
            return f"{key}={run.get(key)}, found {value}"
    return ""


def _alone(folder: Path) -> AbstractContextManager[Any]:
    """Two that resume one run would write over each other. Raises SweepError."""
    lock = FileLock(folder / LOCK)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        raise SweepError(f"{folder}: another process is at work there", 1) from None

"""Where a training starts from: a fresh adapter, another run's adapter, a release, or its own newest checkpoint.

Covers: settings that contradict each other, a parent without an adapter, a release that was altered, resuming a run that is done or
running, or with other settings than it began with. Does not cover: a release whose checksums were rewritten together with it.
"""

from collections.abc import Container, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sekft.cli.console import echo
from sekft.cli.recorded import recorded_settings, require_resumable
from sekft.cli.sweep import LOCK
from sekft.config import Start, TrainConfig
from sekft.config.job import Job, RunFunction
from sekft.errors import ReleaseError, SettingsError, SweepError
from sekft.tracking import records, sums
from sekft.tracking.digest import NOT_DECISIVE, adapter_sha256, hash_code
from sekft.tracking.files import flat, lock
from sekft.tracking.manifest import versions
from sekft.tracking.record import RUN

CONTINUE = Start("continue")
NOT_COMPARED = ("start", "parent", "replay", "where", *NOT_DECISIVE)  # settings that may differ when a run is resumed


def starting(run: RunFunction) -> RunFunction:
    """The run function with its start resolved first, so that run.json records it from the beginning."""

    def run_from_start(settings: TrainConfig, job: Job) -> Any:
        with _lock(job.folder) if settings.start is Start.resume else nullcontext():
            return run(*resolve_start(settings, job))

    return run_from_start


def resolve_start(settings: TrainConfig, job: Job) -> tuple[TrainConfig, Job]:
    """Settings with the adapter to start from, and the job with the start for run.json in its facts.

    Raises SettingsError, and ReleaseError for a release that was altered.
    """
    if settings.start is Start.resume:
        return _resume(settings, job)
    if settings.trainer.resume_from and not (Path(settings.trainer.resume_from) / "trainer_state.json").is_file():
        raise SettingsError(f"trainer.resume_from={settings.trainer.resume_from}: no trainer_state.json there; give a checkpoint folder")
    if settings.trainer.resume_from:
        from sekft.train import checkpoint

        checkpoint.require_whole(Path(settings.trainer.resume_from))
    parent: dict[str, Any] | None = None
    if settings.start is Start.release:
        release = _release(settings)
        parent = {"release": str(release), **_adapter_record(release / "adapter")}
    elif adapter := _parent_adapter(settings, job):
        parent = {"run": str(adapter.parent), **_adapter_record(adapter)}
    if parent:
        start = settings.start if settings.start is Start.release else CONTINUE
        settings = replace(settings, start=start, adapter=parent["adapter"])
    return settings, replace(job, facts={**job.facts, "start": _start_record(settings, job.checkpoint, parent)})


def _start_record(settings: TrainConfig, checkpoint: Path | None, parent: Mapping[str, Any] | None) -> dict[str, Any]:
    """`start` in run.json. policy: resume with a checkpoint, else start=; began: start= in either case."""
    resumed_from = checkpoint or settings.trainer.resume_from
    policy = Start.resume if resumed_from else settings.start
    return {
        "policy": policy.value,
        "began": settings.start.value,
        "parent": parent,
        "checkpoint": str(resumed_from) if resumed_from else None,
    }


def _adapter_record(folder: Path) -> dict[str, Any]:
    return {"adapter": str(folder), "sha256": adapter_sha256(folder)}


def _parent_adapter(settings: TrainConfig, job: Job) -> Path | None:
    """The adapter in adapter= or parent= that is trained further; None for a fresh one."""
    given = Path(settings.adapter) if settings.adapter else None
    if settings.parent and given and given.resolve().parent != Path(settings.parent).resolve():
        raise SettingsError(f"adapter={given}: not the adapter of parent={settings.parent}; allowed: one of the two, or that run's adapter")
    adapter = given or (Path(settings.parent) / "adapter" if settings.parent else None)
    if adapter and "start=bootstrap" in job.overrides:
        raise SettingsError(f"start=bootstrap: begins with a fresh adapter, found {adapter}; allowed with an adapter: start=continue")
    if adapter is None and settings.start is CONTINUE:
        raise SettingsError("start=continue: no adapter given; allowed: adapter=FOLDER, or parent=RUN, a run that has one")
    return adapter


def _release(settings: TrainConfig) -> Path:
    """The release that adapter= names by its own folder, its adapter or its stage. Raises ReleaseError if it was altered."""
    if settings.parent or not settings.adapter:
        found = f"parent={settings.parent}" if settings.parent else "no adapter"
        raise SettingsError(f"start=release: found {found}, allowed: adapter=outputs/releases/STAGE, or a release in it")
    named = Path(settings.adapter)
    folders = [sums.current(named) or named, named.parent]
    release = next((folder for folder in folders if (folder / sums.NAME).is_file()), None)
    if release is None:
        raise SettingsError(f"start=release: adapter={named}: no release there; allowed: outputs/releases/STAGE, or a release in it")
    if faults := list(sums.faults(release)):
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise ReleaseError(f"start=release: altered since it was released: {faults[0]}{more}; see sekft.release do=verify runs={release}")
    return release


def _resume(settings: TrainConfig, job: Job) -> tuple[TrainConfig, Job]:
    """The recorded settings of the run in the job's folder, and the job with its overrides and its newest complete checkpoint."""
    if job.sweep:
        raise SettingsError("start=resume: not in a sweep; a sweep that is started again resumes its own runs")
    if not (job.folder / RUN).is_file():
        raise SettingsError(f"start=resume: no run in {job.folder}; allowed: parent=RUN, or a run's own line and hydra.run.dir=RUN")
    if settings.parent and Path(settings.parent).resolve() != job.folder.resolve():
        raise SettingsError(f"start=resume: a run resumes in its own folder; found hydra.run.dir={job.folder}, parent={settings.parent}")
    require_resumable(job.folder)
    record = records.run(job.folder)
    own = recorded_settings(job.folder, TrainConfig, settings)
    if difference := _difference(settings, own, job.facts.get("chosen", {})):
        raise SettingsError(f"start=resume: {job.folder} began with {difference}; allowed: its own line, or parent={job.folder} alone")
    for key, now in {"code": hash_code()["code"], "versions": versions()}.items():
        if record.facts.get(key) not in (None, now):
            echo(f"start=resume: {job.folder} began with other {key}; its bytes may differ from those of an uninterrupted run")
    from sekft.train import checkpoint

    job = replace(job, overrides=record.overrides, checkpoint=checkpoint.newest(job.folder, echo))
    start = _start_record(own, job.checkpoint, (record.facts.get("start") or {}).get("parent"))
    own_choices = {"chosen": record.facts["chosen"]} if "chosen" in record.facts else {}
    return own, replace(job, facts={**job.facts, **own_choices, "start": start | {"policy": Start.resume.value}})


def _difference(given: TrainConfig, own: TrainConfig, chosen: Container[str]) -> str:
    """The first given setting that differs from the run's own, empty if none does; null is no difference, as runs fill it in.

    chosen: keys that were not given, but chosen by the rules, which may choose otherwise on this machine.
    """
    line, run = flat(asdict(given)), flat(asdict(own))
    ignored = (*NOT_COMPARED, "adapter") if own.start is Start.release else NOT_COMPARED  # the line names a stage, the record a release
    for key, value in line.items():
        if value is not None and key.partition(".")[0] not in ignored and key not in chosen and value != run.get(key):
            return f"{key}={run.get(key)}, found {value}"
    return ""


def _lock(folder: Path) -> AbstractContextManager[None]:
    """Keep a second process from resuming the same run. Raises SweepError."""
    return lock(folder / LOCK, SweepError(f"{folder}: another process is at work there", 1))

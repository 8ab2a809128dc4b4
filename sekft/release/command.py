"""The command `python -m sekft.release`: verify the evidence of runs, approve a run, promote its adapter, roll a stage back."""

from pathlib import Path
from typing import Any

from sekft.config import Action, ModelConfig, ReleaseConfig, Weights
from sekft.config.job import Job
from sekft.errors import DataError, ReleaseError, SettingsError
from sekft.model.files import identity
from sekft.model.locate import base_folder, load_tokenizer
from sekft.release import releases
from sekft.release.evidence import APPROVED, Requirements, approvers, objections, settings_of
from sekft.tracking import events, sums
from sekft.tracking.records import below


def run(settings: ReleaseConfig, job: Job) -> dict[str, Any]:
    match settings.do:
        case Action.verify:
            return verify(settings)
        case Action.approve:
            return approve(settings)
        case Action.promote:
            return promote(settings)
        case Action.rollback:
            folder = releases.roll_back(Path(settings.releases) / settings.to, settings.by)
            print(f"{settings.to}: {folder} is current again")
            return {"command": "release", "release": str(folder)}


def verify(settings: ReleaseConfig) -> dict[str, Any]:
    """Check every run and release against its recorded checksums. Raises DataError if a file differs; the faults are printed."""
    given = [settings.runs] if isinstance(settings.runs, str) else settings.runs
    if not isinstance(given, list) or not all(isinstance(path, str) for path in given):
        raise SettingsError(f"runs: found {settings.runs}, allowed: a run, a folder with runs in it, or a list of them")
    folders = [Path(path) for path in given]
    release_folders = sorted({file.parent for folder in folders for file in folder.rglob(sums.NAME) if (file.parent / "evidence").is_dir()})
    runs = [run for folder in folders for run in below(folder) if run.name != "evidence"]
    if not runs + release_folders:
        raise DataError(f"runs={settings.runs}: no run there; allowed: a run, a folder with runs in it, or a list of them")
    faults = [fault for run in runs for fault in events.faults(run)] + [
        fault for release in release_folders for fault in sums.faults(release)
    ]
    for fault in faults:
        print(fault)
    counts = f"{len(runs)} runs, {len(release_folders)} releases"
    if faults:
        raise DataError(f"{len(faults)} faults in the evidence of {counts}")
    print(f"{counts}: every file is as it was recorded")
    return {"command": "release", "runs": len(runs), "releases": len(release_folders)}


def approve(settings: ReleaseConfig) -> dict[str, Any]:
    """Record that a person approves the run. Raises SettingsError without a name, ReleaseError if a file of the run was changed."""
    folder = run_folder(settings)
    if not settings.by:
        raise SettingsError("by: empty; allowed: the name of the person who approves")
    for fault in (faults := list(events.faults(folder))):
        print(fault)
    if faults:
        raise ReleaseError(f"{folder}: cannot be approved, its evidence does not hold; see the lines above")
    events.add_event(folder, APPROVED, by=settings.by)
    print(f"{folder}: approved by {', '.join(approvers(folder))}")
    return {"command": "release", "approved": approvers(folder)}


def promote(settings: ReleaseConfig) -> dict[str, Any]:
    """Release the run's adapter. Raises ReleaseError if anything speaks against it; every objection is printed."""
    folder = run_folder(settings)
    recorded = settings_of(folder).get("model") or {}
    names = ("name", "path", "template", "load_4bit", "seed", "trust_remote_code", "check_tokenizer")
    values = {name: recorded[name] for name in names if name in recorded}
    model = ModelConfig(**values, weights=Weights(recorded.get("weights", Weights.pretrained)))
    tokenizer, base = load_tokenizer(model), identity(base_folder(model, weights=True), model)
    reasons = list(objections(folder, Requirements(settings.approvals, settings.scenarios), tokenizer, base))
    for reason in reasons:
        print(reason)
    if reasons:
        raise ReleaseError(f"{folder}: not released, {len(reasons)} reason{'s' * (len(reasons) > 1)}")
    release = releases.create(folder, Path(settings.releases) / settings.to, settings.by, tokenizer)
    print(f"{settings.to}: {release}")
    return {"command": "release", "release": str(release)}


def run_folder(settings: ReleaseConfig) -> Path:
    """Raises SettingsError."""
    if not settings.run or not (Path(settings.run) / "run.json").is_file():
        raise SettingsError(f"run={settings.run}: no run there; allowed: the folder of a run, such as outputs/train/RUN")
    return Path(settings.run)

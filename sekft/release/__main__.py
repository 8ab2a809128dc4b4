"""Verify, promote, roll back: does the evidence of a run hold, and may its adapter go out?"""

from pathlib import Path
from typing import Any

from sekft.cli.launch import launch
from sekft.config import Action, ModelConfig, ReleaseConfig, Weights
from sekft.config.job import Job
from sekft.errors import DataError, ReleaseError, SettingsError
from sekft.release import releases as release
from sekft.release.evidence import APPROVED, Wanted, against, approvers, settings_of
from sekft.tracking import audit, sums
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
            folder = release.roll_back(Path(settings.releases) / settings.to, settings.by)
            print(f"{settings.to}: {folder} counts again")
            return {"command": "release", "release": str(folder)}


def verify(settings: ReleaseConfig) -> dict[str, Any]:
    given = [settings.runs] if isinstance(settings.runs, str) else settings.runs
    if not isinstance(given, list) or not all(isinstance(place, str) for place in given):
        raise SettingsError(f"runs: found {settings.runs}, allowed: a run, a folder with runs in it, or a list of them")
    places = [Path(place) for place in given]
    releases = sorted({file.parent for place in places for file in place.rglob(sums.NAME) if (file.parent / "evidence").is_dir()})
    runs = [folder for place in places for folder in below(place) if folder.name != "evidence"]
    if not runs + releases:
        raise DataError(f"runs={settings.runs}: no run there; allowed: a run, a folder with runs in it, or a list of them")
    found = [fault for folder in runs for fault in audit.faults(folder)] + [
        fault for folder in releases for fault in release.faults(folder)
    ]
    for fault in found:
        print(fault)
    about = f"{len(runs)} runs, {len(releases)} releases"
    if found:
        raise DataError(f"{len(found)} faults in the evidence of {about}")
    print(f"{about}: every line follows the one before, every file is what it was")
    return {"command": "release", "runs": len(runs), "releases": len(releases)}


def approve(settings: ReleaseConfig) -> dict[str, Any]:
    folder = the_run(settings)
    if not settings.by:
        raise SettingsError("by: nobody; allowed: the name of who says yes")
    for fault in (faults := list(audit.faults(folder))):
        print(fault)
    if faults:
        raise ReleaseError(f"{folder}: its evidence does not hold; nothing to say yes to")
    audit.Audit(folder).tell(APPROVED, by=settings.by)
    print(f"{folder}: approved by {', '.join(approvers(folder))}")
    return {"command": "release", "approved": approvers(folder)}


def promote(settings: ReleaseConfig) -> dict[str, Any]:
    """Raises ReleaseError for all that speaks against it, which is printed."""
    from sekft.model.base import identity
    from sekft.model.locate import base_folder, load_tokenizer

    folder = the_run(settings)
    told = settings_of(folder).get("model") or {}
    taken = ("name", "path", "template", "load_4bit", "seed", "trust_remote_code", "check_tokenizer")
    plain = {key: told[key] for key in taken if key in told}
    model = ModelConfig(**plain, weights=Weights(told.get("weights", Weights.pretrained)))
    tokenizer, base = load_tokenizer(model), identity(base_folder(model, weights=True), model)
    reasons = list(against(folder, Wanted(settings.approvals, settings.scenarios), tokenizer, base))
    for reason in reasons:
        print(reason)
    if reasons:
        raise ReleaseError(f"{folder}: not released, {len(reasons)} reason{'s' * (len(reasons) > 1)}")
    made = release.make(folder, Path(settings.releases) / settings.to, settings.by, tokenizer)
    print(f"{settings.to}: {made}")
    return {"command": "release", "release": str(made)}


def the_run(settings: ReleaseConfig) -> Path:
    """Raises SettingsError."""
    if not settings.run or not (Path(settings.run) / "run.json").is_file():
        raise SettingsError(f"run={settings.run}: no run there; allowed: the folder of a run, such as outputs/train/RUN")
    return Path(settings.run)


def main() -> None:
    launch("release", run)


if __name__ == "__main__":
    main()

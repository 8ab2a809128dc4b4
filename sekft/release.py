"""Does the evidence of a run still hold?"""

from pathlib import Path
from typing import Any

from sekft.command.launch import Job, launch
from sekft.config.status import ReleaseConfig
from sekft.errors import DataError, SettingsError
from sekft.tracking.audit import faults
from sekft.tracking.records import below


def run(settings: ReleaseConfig, job: Job) -> dict[str, Any]:
    if settings.do != "verify":
        raise SettingsError(f"do: found {settings.do}, allowed: verify")
    places = [settings.runs] if isinstance(settings.runs, str) else list(settings.runs)
    folders = [folder for place in places for folder in below(Path(place))]
    if not folders:
        raise DataError(f"runs={settings.runs}: no run there; allowed: a run, a folder with runs in it, or a list of them")
    found = [fault for folder in folders for fault in faults(folder)]
    for fault in found:
        print(fault)
    if found:
        raise DataError(f"{len(found)} faults in the evidence of {len(folders)} runs")
    print(f"{len(folders)} runs: every line follows the one before, every file is what it was")
    return {"verb": "release", "runs": len(folders)}


def main() -> None:
    launch("release", run)


if __name__ == "__main__":
    main()

"""Release folders: each holds an adapter with everything needed to serve it and to check it, and is written once.

A stage is a folder of numbered releases; its link `current` points to the one in use.
"""

import shutil
from pathlib import Path

from sekft.errors import ReleaseError
from sekft.release import replay
from sekft.release.card import card
from sekft.release.evidence import ADAPTER, EVIDENCE, OPTIONAL_EVIDENCE, dtype_of, read, settings_of
from sekft.release.replies import recorded_replies
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.tracking import sums
from sekft.tracking.events import add_event, events
from sekft.tracking.files import write_json, write_text
from sekft.tracking.record import SUMMARY
from sekft.tracking.sums import CURRENT, current

PROMOTED, ROLLED_BACK = "promoted", "rolled back"  # names of a stage's events


def create(run: Path, stage: Path, by: str, tokenizer: ChatTokenizer) -> Path:
    """Write the run's release and make it the current one of the stage; returns its folder. Raises ReleaseError."""
    stage.mkdir(parents=True, exist_ok=True)
    folder = stage / f"{1 + max(map(_number, _releases(stage)), default=0):04d}-{run.resolve().name}"
    if folder.exists():
        raise ReleaseError(f"{folder}: exists already; a release is written once")
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(run / ADAPTER, draft / ADAPTER)
    (draft / "evidence").mkdir()
    for name in (*EVIDENCE, *(name for name in OPTIONAL_EVIDENCE if (run / name).is_file())):
        shutil.copy2(run / name, draft / "evidence" / name)
    write_text(draft / "README.md", card(run))
    write_json(draft / replay.RECORDED, recorded_replies(run, tokenizer, settings_of(run), dtype_of(run)))
    shutil.copy(replay.__file__, draft / "replay.py")
    sums.write(draft, draft.iterdir())
    draft.rename(folder)
    _set_current(stage, folder)
    add_event(stage, PROMOTED, release=folder.name, run=str(run), verdict=read(run / SUMMARY).get("verdict"), by=by)
    return folder


def roll_back(stage: Path, by: str) -> Path:
    """Make the release before the current one current again, skipping those that were rolled back. Raises ReleaseError if there is none."""
    now, withdrawn = current(stage), {event.about["instead_of"] for event in events(stage) if event.name == ROLLED_BACK}
    earlier = [release for release in _releases(stage) if now and _number(release) < _number(now) and release.name not in withdrawn]
    if not earlier:
        raise ReleaseError(f"{stage}: {now.name if now else 'nothing is released there'}; no release before it")
    _set_current(stage, earlier[-1])
    add_event(stage, ROLLED_BACK, release=earlier[-1].name, instead_of=now.name if now else None, by=by)
    return earlier[-1]


def _releases(stage: Path) -> list[Path]:
    return sorted((path for path in stage.glob("[0-9]*-*") if path.is_dir()), key=_number)


def _number(release: Path) -> int:
    return int(release.name.partition("-")[0])


def _set_current(stage: Path, folder: Path) -> None:
    """Replace the link in one step, so that a server always finds one."""
    draft = stage / f".{CURRENT}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(folder.name)
    draft.replace(stage / CURRENT)

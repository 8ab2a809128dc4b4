"""A release: a folder that holds all that is needed to serve an adapter and to believe it, written once; which one counts is a line."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sekft.errors import ReleaseError
from sekft.release import replay
from sekft.release.card import card
from sekft.release.evidence import ADAPTER, EVIDENCE, IF_THERE, read, settings_of
from sekft.release.replies import recorded
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.tracking import audit, sums
from sekft.tracking.audit import Audit
from sekft.tracking.files import write_json
from sekft.tracking.record import SUMMARY
from sekft.tracking.sums import CURRENT, current

PROMOTED, ROLLED_BACK = "promoted", "rolled back"


def make(run: Path, stage: Path, by: str, tokenizer: ChatTokenizer) -> Path:
    """The new release, which is then the stage's current one. stage: the folder of all its releases. Raises ReleaseError."""
    stage.mkdir(parents=True, exist_ok=True)
    folder = stage / f"{1 + max(map(_number, _releases(stage)), default=0):04d}-{run.resolve().name}"
    if folder.exists():
        raise ReleaseError(f"{folder}: exists already; a release is written once")
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(run / ADAPTER, draft / ADAPTER)
    (draft / "evidence").mkdir()
    for name in (*EVIDENCE, *(name for name in IF_THERE if (run / name).is_file())):
        shutil.copy2(run / name, draft / "evidence" / name)
    (draft / "README.md").write_text(card(run), encoding="utf-8")
    write_json(draft / replay.EPISODES, recorded(run, tokenizer, settings_of(run)))
    shutil.copy(replay.__file__, draft / "replay.py")
    sums.write(draft, draft.iterdir())
    draft.rename(folder)
    _point(stage, folder)
    Audit(stage).tell(PROMOTED, release=folder.name, run=str(run), verdict=read(run / SUMMARY).get("verdict"), by=by)
    return folder


def roll_back(stage: Path, by: str) -> Path:
    """The release before the current one counts again, of those that were never rolled back themselves. Raises ReleaseError."""
    now, withdrawn = current(stage), {about["instead_of"] for event, about in audit.events(stage) if event == ROLLED_BACK}
    before = [one for one in _releases(stage) if now and _number(one) < _number(now) and one.name not in withdrawn]
    if not before:
        raise ReleaseError(f"{stage}: {now.name if now else 'nothing is released there'}; no release before it")
    _point(stage, before[-1])
    Audit(stage).tell(ROLLED_BACK, release=before[-1].name, instead_of=now.name if now else None, by=by)
    return before[-1]


def faults(folder: Path) -> Iterator[str]:
    """What of a release is not what it was, one line each; of its run's evidence, too."""
    yield from sums.faults(folder)
    kept = folder / "evidence" / audit.AUDIT
    if kept.exists() and (fault := audit.chain_fault(kept)):
        yield fault


def _releases(stage: Path) -> Iterator[Path]:
    yield from sorted((path for path in stage.glob("[0-9]*-*") if path.is_dir()), key=_number)


def _number(release: Path) -> int:
    return int(release.name.partition("-")[0])


def _point(stage: Path, folder: Path) -> None:
    draft = stage / f".{CURRENT}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(folder.name)
    draft.replace(stage / CURRENT)

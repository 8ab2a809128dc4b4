"""A line that stands for the line of a run on record: `replay=RUN`, and `start=resume parent=RUN`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sekft.cli.settings import settings as typed
from sekft.errors import SettingsError
from sekft.tracking import records
from sekft.tracking.condition import condition
from sekft.tracking.digest import NOT_DECISIVE
from sekft.tracking.record import RUN

BESIDE = ("resident", *NOT_DECISIVE)  # what may stand beside such a word; hydra.* may, too


def line_of(command: str, words: Sequence[str]) -> list[str]:
    """The words, or those of the run they stand for. A run that is resumed stays in its folder.

    Raises SettingsError for a run that is not there, is another command's, is not cut off, or words that would change it.
    """
    given = _given(words)
    resuming = given.get("start") == "resume"
    run = stands_for(words)
    if resuming and (Path(there := run or given.get("hydra.run.dir", "")) / RUN).is_file():
        require_cut_off(Path(there))  # before Hydra writes into it
    if run is None:
        return list(words)
    own = ("start", "parent") if resuming else ("replay",)
    what = " ".join(f"{key}={given[key]}" for key in own)
    if {"-m", "--multirun"} & set(words):
        raise SettingsError(f"{what}: not in a sweep; a sweep that is started again goes on by itself")
    line = _overrides(command, Path(run), what)
    aside = {key for key in given if key in (*own, *BESIDE) or key.startswith("hydra.")}
    if changing := [word for word in words if "=" in word and _key(word) not in aside and word not in line]:
        raise SettingsError(f"{what}: stands for the whole line of that run; found beside it {changing[0]}, allowed: no change")
    if resuming and Path(given.get("hydra.run.dir", run)).resolve() != Path(run).resolve():
        raise SettingsError(f"{what}: a run goes on in its own folder; found hydra.run.dir={given['hydra.run.dir']}")
    kept = [word for word in line if _key(word) not in (*given, *own)]
    folder = [f"hydra.run.dir='{run}'"] if resuming and "hydra.run.dir" not in given else []
    return [*kept, *words, *folder]


def stands_for(words: Sequence[str]) -> str | None:
    """The run whose line these words mean."""
    given = _given(words)
    run = given.get("parent" if given.get("start") == "resume" else "replay")
    return run if run and run != "null" else None


def settings_of(run: Path, node: type, beside: Any = None) -> Any:
    """As run.json has them, typed. beside: settings whose NOT_DECISIVE count instead. Raises SettingsError, DataError."""
    told = dict(record_of(run).get("settings") or {})
    for source in ((told.get("data") or {}).get("sources") or {}).values():
        if str(source.get("path")).startswith("outputs/collect/reference-") and not Path(source["path"]).exists():
            source["path"] = None  # made by the run, and now once more
    chosen = {key: getattr(beside, key) for key in NOT_DECISIVE if hasattr(beside, key)}
    return typed(OmegaConf.create({**told, **chosen, "replay": None}), node)


def record_of(run: Path) -> dict[str, Any]:
    """run.json. Raises DataError."""
    return records.document(run / RUN)


def require_cut_off(folder: Path) -> None:
    """Raises SettingsError for a run that is done, under way, or no training."""
    now = condition(folder, float("inf"))
    if now.command != "train":
        raise SettingsError(f"start=resume: {folder}: a run of sekft.{now.command}; allowed: one of sekft.train")
    if now.state == "done":
        raise SettingsError(f"start=resume: {folder}: done; nothing is left to do. To go on from its adapter: parent={folder}")
    if now.state in ("alive", "stalled"):
        raise SettingsError(f"start=resume: {folder}: under way, at {now.stage}; wait, or end it")


def _overrides(command: str, run: Path, what: str) -> list[str]:
    if not (run / RUN).is_file():
        raise SettingsError(f"{what}: no {RUN} there; allowed: the folder of a run of sekft.{command}")
    record: Mapping[str, Any] = record_of(run)
    if record.get("command") != command:
        raise SettingsError(f"{what}: a run of sekft.{record.get('command')}; allowed here: one of sekft.{command}")
    return [str(word) for word in record.get("overrides", ()) if _key(word) not in ("replay", "resident")]


def _given(words: Sequence[str]) -> dict[str, str]:
    return {_key(word): word.partition("=")[2].strip("'\"") for word in words if "=" in word}


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
